"""Ed25519 (RFC 8032, section 5.1) in plain integers, for vectors and tests.

Owns: signing and checking, so that the vectors need nothing but Python. Refuses to be fast or constant in time: it must
never hold a key that matters.
"""

import hashlib

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
ROOT_OF_MINUS_ONE = pow(2, (P - 1) // 4, P)
NEUTRAL = (0, 1, 1, 0)


def _add(p, q):
    # Extended coordinates (x, y, z, t) with x = x/z, y = y/z, t = xy/z: section 5.1.4.
    a = (p[1] - p[0]) * (q[1] - q[0]) % P
    b = (p[1] + p[0]) * (q[1] + q[0]) % P
    c = 2 * p[3] * q[3] * D % P
    d = 2 * p[2] * q[2] % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return (e * f % P, g * h % P, f * g % P, e * h % P)


def _times(scalar, point):
    sum_ = NEUTRAL
    while scalar > 0:
        if scalar & 1:
            sum_ = _add(sum_, point)
        point = _add(point, point)
        scalar >>= 1
    return sum_


def _equal(p, q):
    return (p[0] * q[2] - q[0] * p[2]) % P == 0 and (p[1] * q[2] - q[1] * p[2]) % P == 0


def _x_of(y, sign):
    if y >= P:
        return None
    square = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    if square == 0:
        return None if sign else 0
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P != 0:
        x = x * ROOT_OF_MINUS_ONE % P
    if (x * x - square) % P != 0:
        return None
    return P - x if x & 1 != sign else x


_BASE_Y = 4 * pow(5, P - 2, P) % P
_BASE_X = _x_of(_BASE_Y, 0)
BASE = (_BASE_X, _BASE_Y, 1, _BASE_X * _BASE_Y % P)


def _compress(point):
    inverse = pow(point[2], P - 2, P)
    x, y = point[0] * inverse % P, point[1] * inverse % P
    return (y | (x & 1) << 255).to_bytes(32, "little")


def _decompress(data):
    if len(data) != 32:
        return None
    y = int.from_bytes(data, "little")
    sign, y = y >> 255, y & (1 << 255) - 1
    x = _x_of(y, sign)
    return None if x is None else (x, y, 1, x * y % P)


def _expand(secret):
    digest = hashlib.sha512(secret).digest()
    scalar = int.from_bytes(digest[:32], "little")
    return scalar & (1 << 254) - 8 | 1 << 254, digest[32:]


def _hash(*parts):
    return int.from_bytes(hashlib.sha512(b"".join(parts)).digest(), "little") % L


def public_key(secret):
    """The 32 bytes that go with a secret of 32 bytes."""
    return _compress(_times(_expand(secret)[0], BASE))


def sign(secret, message):
    """The signature, 64 bytes."""
    scalar, prefix = _expand(secret)
    public = public_key(secret)
    nonce = _hash(prefix, message)
    point = _compress(_times(nonce, BASE))
    response = (nonce + _hash(point, public, message) * scalar) % L
    return point + response.to_bytes(32, "little")


def verify(public, message, signature):
    """Whether the signature is the key's for the message."""
    if len(signature) != 64:
        return False
    key, point = _decompress(public), _decompress(signature[:32])
    response = int.from_bytes(signature[32:], "little")
    if key is None or point is None or response >= L:
        return False
    challenge = _hash(signature[:32], public, message)
    return _equal(_times(response, BASE), _add(point, _times(challenge, key)))
