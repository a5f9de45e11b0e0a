"""The EA protocol's bytes, keys and signatures as ../protocol.md says them, in the shortest Python that does it.

Owns: licence keys and their check character, key derivation, signed bytes, signature headers, lease and state files.
Refuses to know: servers, policies, clocks. The vectors are made with it; the client and the checker share nothing with it.
"""

import hashlib
import hmac
import json

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
KEY_CHARS = 25


class Malformed(ValueError):
    """What cannot be read, and why."""


def mac(key, message):
    return hmac.new(key, message, hashlib.sha256).digest()


def check_character(body):
    """The last character of a licence key: Luhn's sum over 32 symbols."""
    total, factor = 0, 2
    for character in reversed(body):
        product = ALPHABET.index(character) * factor
        total += product // 32 + product % 32
        factor = 3 - factor
    return ALPHABET[-total % 32]


def canonical_key(typed):
    """A licence key as it enters the derivation: 25 characters of Crockford's alphabet."""
    text = typed.strip().upper()
    for shown, meant in (("-", ""), (" ", ""), ("O", "0"), ("I", "1"), ("L", "1")):
        text = text.replace(shown, meant)
    if len(text) != KEY_CHARS:
        raise Malformed(f"a licence key has {KEY_CHARS} characters, not {len(text)}")
    if any(character not in ALPHABET for character in text):
        raise Malformed("a licence key has only digits and letters other than U")
    if check_character(text[:-1]) != text[-1]:
        raise Malformed("the licence key is mistyped: its last character does not fit")
    return text


def shown_key(canonical):
    """As people read it: five groups of five."""
    return "-".join(canonical[at : at + 5] for at in range(0, KEY_CHARS, 5))


def licence_secret(typed):
    """HKDF-Extract (RFC 5869) of the licence key."""
    return mac(b"marque-ea-1 licence", canonical_key(typed).encode())


def expand(secret, info):
    """The first block of HKDF-Expand, which is all that is needed: 32 bytes."""
    return mac(secret, info.encode() + b"\x01")


def key_id(secret):
    return expand(secret, "key-id").hex()[:32]


def licence_key(secret):
    return expand(secret, "licence-mac")


def activation_key(secret, activation, generation, salt):
    return expand(secret, f"activation-mac\n{activation}\n{generation}\n{salt}\n")


def state_key(secret, machine):
    return expand(secret, f"state-mac\n{machine}\n")


def licence_kid(secret):
    return "l." + key_id(secret)


def activation_kid(activation, generation):
    return f"a.{activation}.{generation}"


def signed_bytes(kind, operation, kid, payload):
    """What a signature covers: four lines, then the payload exactly as it travels."""
    return f"marque-ea-1\n{kind}\n{operation}\n{kid}\n".encode() + payload


def header(kid, algorithm, signature):
    """The value of `Marque-Signature`."""
    return f"kid={kid}, {algorithm}={signature.hex()}"


def sign_hmac(kind, operation, kid, key, payload):
    return header(kid, "hmac-sha256", mac(key, signed_bytes(kind, operation, kid, payload)))


def read_header(value):
    """Key id, algorithm and signature of a `Marque-Signature`."""
    parts = [part.strip().partition("=") for part in value.split(",")]
    if len(parts) != 2 or parts[0][0] != "kid" or parts[1][0] not in ("hmac-sha256", "ed25519"):
        raise Malformed("a signature is `kid=…, hmac-sha256=…` or `kid=…, ed25519=…`")
    try:
        return parts[0][2], parts[1][0], bytes.fromhex(parts[1][2])
    except ValueError as error:
        raise Malformed("a signature is hexadecimal") from error


def compact(fields):
    """Flat JSON without spaces, in the order of the fields."""
    return json.dumps(fields, separators=(",", ":"), ensure_ascii=False).encode()


def lease_file(operation, answer_header, body):
    """The offline lease: an answer as it came."""
    return f"marque-lease-1\n{operation}\n{answer_header}\n".encode() + body


def read_lease_file(data):
    """Operation, signature header and body of a lease file."""
    lines = data.split(b"\n", 3)
    if len(lines) != 4 or lines[0] != b"marque-lease-1":
        raise Malformed("not a lease file")
    return lines[1].decode(), lines[2].decode(), lines[3]
