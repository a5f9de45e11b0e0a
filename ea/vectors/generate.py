"""Makes the golden vectors: python3 ea/vectors/generate.py [--check]

Each file is `{"about": …, "vectors": […]}`, and each vector one flat object with a `name`, a `test` and what is wanted. Rust,
MQL and check.mjs must all come to the same. Nothing here is random: the same script makes the same files, and `--check`
fails when they differ.
"""

import json
import pathlib
import sys

import ed25519
import reference as r

HERE = pathlib.Path(__file__).resolve().parent
TENANT_SECRET = bytes(range(32))
TENANT_KID = "t.2026-11"
KEYS = [body + r.check_character(body) for body in ("0123456789ABCDEFGHJKMNPQ", "ZYXWVTSRQPNMKJHGFEDCBA98", "0" * 24)]
SECRET = r.licence_secret(KEYS[0])
ACTIVATION, GENERATION = "6f1d2c3b4a596877", 3
SALT = bytes(range(64, 96)).hex()
MACHINE = r.mac(b"machine", b"vector").hex()
NONCE = "00112233445566778899aabbccddeeff"
NOW = 1_900_000_000
ACTIVATION_KEY = r.activation_key(SECRET, ACTIVATION, GENERATION, SALT)
ACTIVATION_KID = r.activation_kid(ACTIVATION, GENERATION)


def hashes():
    """SHA-256 (FIPS 180-4), HMAC (RFC 4231), HKDF (RFC 5869)"""
    sha = [("abc", "abc"), ("55-bytes", "x" * 55), ("56-bytes", "x" * 56), ("64-bytes", "x" * 64), ("119-bytes", "y" * 119),
           ("utf-8", "Börse 取引 €"), ("long", "marque " * 140)]  # fmt: skip
    import hashlib

    yield from (
        {"name": f"sha256-{name}", "test": "hash", "message": text, "want": hashlib.sha256(text.encode()).hexdigest()}
        for name, text in sha
    )
    cases = [
        ("1", "0b" * 20, b"Hi There".hex()),
        ("2", b"Jefe".hex(), b"what do ya want for nothing?".hex()),
        ("3", "aa" * 20, "dd" * 50),
        ("4", bytes(range(1, 26)).hex(), "cd" * 50),
        ("6", "aa" * 131, b"Test Using Larger Than Block-Size Key - Hash Key First".hex()),
        ("block", "5c" * 64, b"a key of exactly one block".hex()),
    ]
    for name, key, message in cases:
        want = r.mac(bytes.fromhex(key), bytes.fromhex(message)).hex()
        yield {"name": f"hmac-rfc4231-{name}", "test": "hash", "key_hex": key, "message_hex": message, "want": want}
    # RFC 5869, case 1, as the two steps it consists of.
    prk = r.mac(bytes(range(13)), b"\x0b" * 22)
    yield {"name": "hkdf-extract", "test": "hash", "key_hex": bytes(range(13)).hex(), "message_hex": "0b" * 22, "want": prk.hex()}
    info = bytes(range(0xF0, 0xFA)) + b"\x01"
    yield {"name": "hkdf-expand-first-block", "test": "hash", "key_hex": prk.hex(), "message_hex": info.hex(),
           "want": r.mac(prk, info).hex()}  # fmt: skip


def derivations():
    """Licence keys as they are typed, and every key that is derived from them"""
    for number, key in enumerate(KEYS):
        secret = r.licence_secret(key)
        typed = [r.shown_key(key), key.lower(), f"  {key[:7]} {key[7:]} ", key.replace("0", "o").replace("1", "l")]
        for form, text in enumerate(typed):
            yield {"name": f"key-id-{number}-{form}", "test": "derive", "derive": "key-id", "licence_key": text,
                   "want": r.key_id(secret)}  # fmt: skip
        yield {"name": f"licence-mac-{number}", "test": "derive", "derive": "licence", "licence_key": key,
               "want": r.licence_key(secret).hex()}  # fmt: skip
        for generation in (1, 2, 4_000_000_000):
            want = r.activation_key(secret, ACTIVATION, generation, SALT).hex()
            yield {"name": f"activation-mac-{number}-{generation}", "test": "derive", "derive": "activation", "licence_key": key,
                   "activation": ACTIVATION, "generation": generation, "salt": SALT, "want": want}  # fmt: skip
        yield {"name": f"state-mac-{number}", "test": "derive", "derive": "state", "licence_key": key, "machine": MACHINE,
               "want": r.state_key(secret, MACHINE).hex()}  # fmt: skip
    good = KEYS[0]
    wrong = {"short": good[:-1], "long": good + "0", "empty": "", "letter-u": "U" + good[1:], "umlaut": "Ä" + good[1:],
             "swapped": good[:4] + good[5] + good[4] + good[6:]}  # fmt: skip
    for at in range(0, 25, 3):
        wrong[f"wrong-{at}"] = good[:at] + r.ALPHABET[(r.ALPHABET.index(good[at]) + 7) % 32] + good[at + 1 :]
    for name, text in wrong.items():
        yield {"name": f"mistyped-{name}", "test": "derive", "derive": "key-id", "licence_key": text, "want": "mistyped"}


def request(**more):
    return {"protocol": 1, "key_id": r.key_id(SECRET), "product": "marque-sample", "version": "1.20", "nonce": NONCE,
            "account": "5001", "server": "Börse-Demo", "kind": "demo", "machine": MACHINE, "platform": "mt5", "build": 4150,
            **more}  # fmt: skip


def answer(operation, **more):
    return {"protocol": 1, "operation": operation, "valid": True, "code": "VALID", "message": "The licence is valid.",
            "nonce": NONCE, "server_time": NOW, "key_id": r.key_id(SECRET), "product": "marque-sample", "account": "5001",
            "machine": MACHINE, "activation": ACTIVATION, "lease_until": NOW + 86400, "grace_until": NOW + 345600,
            "expires_at": 0, "heartbeat_s": 200, "latest_version": "1.20", "notice": "", **more}  # fmt: skip


def refusal(operation, code, **more):
    kept = ("protocol", "operation", "nonce", "server_time", "key_id", "product", "account", "machine", "activation")
    fields = {name: value for name, value in answer(operation).items() if name in kept}
    return {**fields, "valid": False, "code": code, "message": "No.", **more}


def signatures():
    """Signed bytes and `Marque-Signature` of requests, answers and state files"""
    licence = (r.licence_kid(SECRET), r.licence_key(SECRET))
    activated = (ACTIVATION_KID, ACTIVATION_KEY)
    report = {"activation": ACTIVATION, "sequence": 7, "orders": 12, "lots": "1.25", "runtime_s": 3600}
    cases = [
        ("request", "activate", licence, r.compact(request(config_version=0, config_schema=1))),
        ("request", "heartbeat", activated, r.compact(request(**report, config_version=2, config_schema=1))),
        ("request", "validate", activated, b"protocol=1&nonce=" + NONCE.encode() + b"&server=B%C3%B6rse-Demo"),
        ("answer", "heartbeat", activated, r.compact(answer("heartbeat"))),
        ("answer", "activate", licence, r.compact(refusal("activate", "TOO_MANY_MACHINES", machines_max=1))),
        ("state", "keep", ("local", r.state_key(SECRET, MACHINE)), b'{"latest":1900000000}'),
        ("answer", "config", activated, b"{}"),
        ("answer", "config", activated, b""),
    ]
    for number, (kind, operation, (kid, key), payload) in enumerate(cases):
        yield {"name": f"hmac-{number}-{kind}-{operation}", "test": "sign", "kind": kind, "operation": operation, "kid": kid,
               "mac_key_hex": key.hex(), "payload": payload.decode(),
               "signed_hex": r.signed_bytes(kind, operation, kid, payload).hex(),
               "want": r.sign_hmac(kind, operation, kid, key, payload)}  # fmt: skip


def tenant_signatures():
    """Ed25519 (RFC 8032) for servers and tools: the tenant's key signs the same bytes"""
    public = ed25519.public_key(TENANT_SECRET)
    bodies = {
        "valid": ("validate", answer("validate")),
        "not-found": ("activate", refusal("activate", "NOT_FOUND")),
        "lease": ("heartbeat", answer("heartbeat")),
    }
    for name, (operation, fields) in bodies.items():
        body = r.compact(fields)
        message = r.signed_bytes("answer", operation, TENANT_KID, body)
        signature = ed25519.sign(TENANT_SECRET, message)
        base = {"test": "ed25519", "public_key": public.hex(), "operation": operation, "kid": TENANT_KID}
        fitting = r.header(TENANT_KID, "ed25519", signature)
        yield {"name": f"ed25519-{name}", **base, "body": body.decode(), "signature": fitting, "want": "good"}
        other = body.replace(b"1900000000", b"1900000001")
        yield {"name": f"ed25519-{name}-changed", **base, "body": other.decode(), "signature": fitting, "want": "bad"}
        swapped = {**base, "operation": "usage"}
        yield {"name": f"ed25519-{name}-elsewhere", **swapped, "body": body.decode(), "signature": fitting, "want": "bad"}
        broken = bytes([signature[0] ^ 1]) + signature[1:]
        yield {"name": f"ed25519-{name}-broken", **base, "body": body.decode(), "signature": r.header(TENANT_KID, "ed25519", broken),
               "want": "bad"}  # fmt: skip


def changed(value):
    if isinstance(value, bool):
        return not value
    return value + 1 if isinstance(value, int) else value + "0"


def answers():
    """Answers as an EA judges them: genuine, refused, changed in each field, signed by somebody else, for somebody else"""
    base = {"test": "judge", "licence_key": KEYS[0], "activation": ACTIVATION, "generation": GENERATION, "salt": SALT,
            "nonce": NONCE, "product": "marque-sample", "account": "5001", "machine": MACHINE}  # fmt: skip
    licence = (r.licence_kid(SECRET), r.licence_key(SECRET))
    activated = (ACTIVATION_KID, ACTIVATION_KEY)

    def case(name, operation, body, signer, want, signed_as=None, **other):
        payload = body if isinstance(body, bytes) else r.compact(body)
        header = r.sign_hmac("answer", signed_as or operation, *signer, payload)
        return {"name": name, **base, **other, "operation": operation, "body": payload.decode(), "signature": header, "want": want}

    for operation in ("validate", "heartbeat", "config", "usage", "activate"):
        yield case(f"valid-{operation}", operation, answer(operation), activated, "valid")
    for code in ("KEY_REPLACED", "REVOKED", "SUSPENDED", "PRODUCT_MISMATCH", "PLAN_REQUIRED", "EXPIRED", "DEMO_ONLY", "LIVE_ONLY",
                 "VERSION_TOO_OLD", "VERSION_YANKED", "NOT_ACTIVATED", "RELEASED", "HEARTBEAT_MISSED", "BINDING_MISMATCH",
                 "TOO_MANY_MACHINES", "TOO_MANY_ACCOUNTS", "TRANSFER_COOLDOWN"):  # fmt: skip
        yield case(f"refused-{code}", "validate", refusal("validate", code), activated, f"refused {code}")
        yield case(f"refused-by-licence-{code}", "activate", refusal("activate", code), licence, f"refused {code}")
    whole = answer("heartbeat", config_version=2, config_included=True, config_schema=1, **{"set.lots": "0.05"})
    good = case("", "heartbeat", whole, activated, "")["signature"]
    for name in whole:
        body = r.compact({**whole, name: changed(whole[name])})
        yield {**case(f"changed-{name}", "heartbeat", body, activated, "unsigned"), "signature": good}
        body = r.compact({field: value for field, value in whole.items() if field != name})
        yield {**case(f"without-{name}", "heartbeat", body, activated, "unsigned"), "signature": good}
    # Genuine in every byte, and still not for this EA, here, now.
    yield case("valid-by-licence-key", "heartbeat", whole, licence, "elsewhere")
    yield case("older-nonce", "heartbeat", {**whole, "nonce": "f" * 32}, activated, "elsewhere")
    yield case("other-account", "heartbeat", {**whole, "account": "6002"}, activated, "elsewhere")
    yield case("other-machine", "heartbeat", {**whole, "machine": "0" * 64}, activated, "elsewhere")
    yield case("other-product", "heartbeat", {**whole, "product": "other"}, activated, "elsewhere")
    yield case("other-protocol", "heartbeat", {**whole, "protocol": 2}, activated, "elsewhere")
    yield case("other-operation-inside", "heartbeat", {**whole, "operation": "usage"}, activated, "elsewhere")
    yield case("other-operation-signed", "heartbeat", whole, activated, "unsigned", signed_as="validate")
    yield case("other-kind", "heartbeat", whole, activated, "unsigned", generation=GENERATION + 1)
    yield case("other-salt", "heartbeat", whole, activated, "unsigned", salt="0" * 64)
    yield case("other-licence", "heartbeat", whole, activated, "unsigned", licence_key=KEYS[1])
    yield case("lease-in-the-past", "heartbeat", {**whole, "lease_until": NOW - 1}, activated, "elsewhere")
    yield case("grace-before-lease", "heartbeat", {**whole, "grace_until": NOW + 86399}, activated, "elsewhere")
    yield case("grace-of-31-days", "heartbeat", {**whole, "grace_until": NOW + 2678400}, activated, "valid")
    yield case("grace-of-more", "heartbeat", {**whole, "grace_until": NOW + 2678401}, activated, "elsewhere")
    yield case("yes-and-no", "heartbeat", {**whole, "valid": False}, activated, "elsewhere")
    yield case("no-time", "heartbeat", {**whole, "server_time": 0}, activated, "elsewhere")
    yield case("nested", "heartbeat", b'{"protocol":1,"more":{}}', activated, "unreadable")
    yield case("twice", "heartbeat", r.compact(whole)[:-1] + b',"valid":true}', activated, "unreadable")
    request_header = r.sign_hmac("request", "heartbeat", *activated, r.compact(whole))
    yield {**case("a-request-sent-back", "heartbeat", whole, activated, "unsigned"), "signature": request_header}
    for name, header in (("none", ""), ("no-kid", "hmac-sha256=" + "0" * 64), ("short", good[:-2]), ("upper", good.upper()),
                         ("ed25519", good.replace("hmac-sha256", "ed25519")), ("twice", good + ", " + good)):  # fmt: skip
        yield {**case(f"header-{name}", "heartbeat", whole, activated, "unsigned"), "signature": header}


def leases():
    """Offline lease files: as written, and altered"""
    body = r.compact(answer("heartbeat"))
    header = r.sign_hmac("answer", "heartbeat", ACTIVATION_KID, ACTIVATION_KEY, body)
    good = r.lease_file("heartbeat", header, body)
    files = {
        "whole": (good, "good"),
        "other-operation": (good.replace(b"\nheartbeat\n", b"\nusage\n", 1), "bad"),
        "other-format": (good.replace(b"marque-lease-1", b"marque-lease-2"), "bad"),
        "longer-grace": (good.replace(b"1900345600", b"1900999999"), "bad"),
        "cut": (good[:-1], "bad"),
        "carriage-returns": (good.replace(b"\n", b"\r\n"), "bad"),
        "empty": (b"", "bad"),
    }
    for name, (data, want) in files.items():
        yield {"name": f"lease-{name}", "test": "lease", "licence_key": KEYS[0], "activation": ACTIVATION, "generation": GENERATION,
               "salt": SALT, "file_hex": data.hex(), "want": want}  # fmt: skip


def texts():
    """Flat JSON as it is read and written, and query strings"""
    readable = {
        "plain": '{"a":"b","n":-12,"t":true,"f":false}',
        "spaces": ' { "a" : "b" ,\n\t"n" : 0 } ',
        "escapes": '{"a":"\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e4\\u20ac"}',
        "unicode": '{"server":"Börse 取引 €"}',
        "empty": "{}",
    }
    for name, text in readable.items():
        fields = json.loads(text)
        written = "{" + ",".join(quoted(key) + ":" + written_value(value) for key, value in fields.items()) + "}"
        yield {"name": f"json-{name}", "test": "json", "text": text, "want": written}
    for name, text in {"list": "[]", "nested": '{"a":{}}', "array": '{"a":[]}', "fraction": '{"a":1.5}', "exponent": '{"a":1e3}',
                       "null": '{"a":null}', "twice": '{"a":1,"a":1}', "leading-zero": '{"a":01}', "plus": '{"a":+1}',
                       "open": '{"a":1', "comma": '{"a":1,}', "more": "{} {}", "control": '{"a":"\x01"}', "nul": '{"a":"\\u0000"}',
                       "bad-escape": '{"a":"\\x"}', "no-colon": '{"a"1}', "bare": '{a:1}', "word": '{"a":yes}', "nothing": "",
                       "huge-number": '{"a":1234567890123456789}'}.items():  # fmt: skip
        yield {"name": f"json-refused-{name}", "test": "json", "text": text, "want": "unreadable"}
    import urllib.parse

    for name, fields in {"plain": {"protocol": 1, "server": "A-b.c_d~e"}, "reserved": {"server": "a b&c=d+e/f?%"},
                         "unicode": {"server": "Börse 取引"}}.items():  # fmt: skip
        query = "&".join(f"{key}={urllib.parse.quote(str(value), safe='-._~')}" for key, value in fields.items())
        yield {"name": f"query-{name}", "test": "query", "text": json.dumps(fields, ensure_ascii=False), "want": query}


def quoted(text):
    out = "".join("\\" + c if c in '"\\' else f"\\u{ord(c):04x}" if ord(c) < 32 else c for c in text)
    return f'"{out}"'


def written_value(value):
    return ("true" if value else "false") if isinstance(value, bool) else str(value) if isinstance(value, int) else quoted(value)


FILES = {"hashes": hashes, "derivations": derivations, "signatures": signatures, "ed25519": tenant_signatures,
         "answers": answers, "leases": leases, "texts": texts}  # fmt: skip


def main():
    different = []
    for name, make in FILES.items():
        made = {"about": make.__doc__, "vectors": list(make())}
        lines = ",\n".join("    " + json.dumps(vector, ensure_ascii=False) for vector in made["vectors"])
        text = f'{{\n  "about": {json.dumps(made["about"], ensure_ascii=False)},\n  "vectors": [\n{lines}\n  ]\n}}\n'
        path = HERE / f"{name}.json"
        if "--check" not in sys.argv:
            path.write_text(text, encoding="utf-8")
        elif not path.is_file() or path.read_text(encoding="utf-8") != text:
            different.append(path.name)
    if different:
        sys.exit(f"{', '.join(different)} differ from what generate.py makes; run it, and look at what changed")


if __name__ == "__main__":
    main()
