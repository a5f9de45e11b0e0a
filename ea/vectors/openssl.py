"""Makes verify.json, Ed25519 vectors that OpenSSL signed: python3 ea/vectors/openssl.py

The other vectors come from ed25519.py, which the stand-in signs with as well; these come from somebody else. Keys are made from
fixed seeds and Ed25519 is not random: the same script makes the same file.
"""

import json
import pathlib
import subprocess
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
ORDER = 2**252 + 27742317777372353535851937790883648493
# A private key as PKCS #8 is these bytes and its seed.
PKCS8 = bytes.fromhex("302e020100300506032b657004220420")
# Around the ends of SHA-512's blocks: 64 bytes of signature and key come before the message. A text of the library has 1,024
# characters at most.
SIZES = (1, 46, 47, 48, 63, 64, 65, 175, 176, 300, 500)


def signed(seed, message):
    """Public key and signature."""
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        (folder / "key").write_bytes(PKCS8 + seed)
        (folder / "message").write_bytes(message)
        key = ["-inform", "DER", "-in", str(folder / "key")]
        public = subprocess.run(["openssl", "pkey", *key, "-pubout", "-outform", "DER"], check=True, capture_output=True).stdout
        sign = ["openssl", "pkeyutl", "-sign", "-rawin", "-keyform", "DER", "-inkey", str(folder / "key")]
        done = subprocess.run([*sign, "-in", str(folder / "message")], check=True, capture_output=True).stdout
    return public[-32:], done


def flipped(data, at):
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


def vectors():
    def vector(name, public, message, signature, want):
        return {"name": f"verify-{name}", "test": "verify", "public_key": public.hex(), "message_hex": message.hex(),
                "signature_hex": signature.hex(), "want": want}  # fmt: skip

    for number, size in enumerate(SIZES):
        message = bytes((7 * at + number) % 256 for at in range(size))
        public, signature = signed(bytes([number + 1]) * 32, message)
        yield vector(f"{size}", public, message, signature, "good")
        if size not in (1, 64, 500):
            continue
        yield vector(f"{size}-message", public, flipped(message, size - 1), signature, "bad")
        yield vector(f"{size}-key", flipped(public, 5), message, signature, "bad")
        yield vector(f"{size}-sign-of-key", public[:31] + bytes([public[31] ^ 128]), message, signature, "bad")
        for at in (0, 31, 32, 62):
            yield vector(f"{size}-byte-{at}", public, message, flipped(signature, at), "bad")
        more = int.from_bytes(signature[32:], "little") + ORDER
        yield vector(f"{size}-past-the-order", public, message, signature[:32] + more.to_bytes(32, "little"), "bad")
        yield vector(f"{size}-short", public, message, signature[:63], "bad")
        yield vector(f"{size}-empty", public, message, b"", "bad")
    # 2 is the y of no point.
    yield vector("key-of-no-point", (2).to_bytes(32, "little"), b"x", (1).to_bytes(32, "little") + bytes(32), "bad")


def main():
    lines = ",\n".join("    " + json.dumps(vector) for vector in vectors())
    about = json.dumps("Ed25519 as OpenSSL signs it, and the same with something changed")
    (HERE / "verify.json").write_text(f'{{\n  "about": {about},\n  "vectors": [\n{lines}\n  ]\n}}\n', encoding="utf-8")


if __name__ == "__main__":
    main()
