// CryptEncode with SHA-256 (FIPS 180-4); no other method.
#pragma once

#include "strings.hpp"

enum ENUM_CRYPT_METHOD { CRYPT_BASE64, CRYPT_AES128, CRYPT_AES256, CRYPT_DES, CRYPT_HASH_SHA1, CRYPT_HASH_SHA256, CRYPT_HASH_MD5 };

inline uint mql_turn(uint word, int bits) { return word >> bits | word << (32 - bits); }

// The first 32 bits of the fractional parts of a root of the first primes: square roots start the hash, cube roots its rounds.
inline std::vector<uint> mql_root_words(int count, double (*root)(double)) {
    std::vector<uint> words;
    for (int n = 2; static_cast<int>(words.size()) < count; n++) {
        bool prime = true;
        for (int d = 2; d * d <= n; d++) {
            prime = prime && n % d != 0;
        }
        if (prime) {
            const double value = root(n);
            words.push_back(static_cast<uint>(static_cast<ulong>((value - std::floor(value)) * 4294967296.0)));
        }
    }
    return words;
}

inline void mql_sha256_block(std::vector<uint> &state, const uchar *block) {
    static const std::vector<uint> rounds = mql_root_words(64, [](double n) { return std::cbrt(n); });
    uint w[64];
    for (int i = 0; i < 16; i++) {
        w[i] = static_cast<uint>(block[4 * i]) << 24 | static_cast<uint>(block[4 * i + 1]) << 16 |
               static_cast<uint>(block[4 * i + 2]) << 8 | block[4 * i + 3];
    }
    for (int i = 16; i < 64; i++) {
        const uint a = mql_turn(w[i - 15], 7) ^ mql_turn(w[i - 15], 18) ^ w[i - 15] >> 3;
        const uint b = mql_turn(w[i - 2], 17) ^ mql_turn(w[i - 2], 19) ^ w[i - 2] >> 10;
        w[i] = w[i - 16] + a + w[i - 7] + b;
    }
    std::vector<uint> v = state;
    for (int i = 0; i < 64; i++) {
        const uint s1 = mql_turn(v[4], 6) ^ mql_turn(v[4], 11) ^ mql_turn(v[4], 25);
        const uint t1 = v[7] + s1 + ((v[4] & v[5]) ^ (~v[4] & v[6])) + rounds[static_cast<size_t>(i)] + w[i];
        const uint s0 = mql_turn(v[0], 2) ^ mql_turn(v[0], 13) ^ mql_turn(v[0], 22);
        const uint t2 = s0 + ((v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2]));
        v = {t1 + t2, v[0], v[1], v[2], v[3] + t1, v[4], v[5], v[6]};
    }
    for (size_t i = 0; i < 8; i++) {
        state[i] += v[i];
    }
}

inline std::vector<uchar> mql_sha256(std::vector<uchar> data) {
    const ulong bits = static_cast<ulong>(data.size()) * 8;
    data.push_back(0x80);
    while (data.size() % 64 != 56) {
        data.push_back(0);
    }
    for (int shift = 56; shift >= 0; shift -= 8) {
        data.push_back(static_cast<uchar>(bits >> shift));
    }
    std::vector<uint> state = mql_root_words(8, [](double n) { return std::sqrt(n); });
    for (size_t at = 0; at < data.size(); at += 64) {
        mql_sha256_block(state, data.data() + at);
    }
    std::vector<uchar> hash;
    for (const uint word : state) {
        for (int shift = 24; shift >= 0; shift -= 8) {
            hash.push_back(static_cast<uchar>(word >> shift));
        }
    }
    return hash;
}

// Nothing to hash is an error there too.
inline int CryptEncode(ENUM_CRYPT_METHOD method, const Array<uchar> &data, const Array<uchar> &, Array<uchar> &result) {
    if (method != CRYPT_HASH_SHA256 || data.size() == 0) {
        mql_error = 4003;
        return 0;
    }
    std::vector<uchar> bytes;
    for (int i = 0; i < data.size(); i++) {
        bytes.push_back(data[i]);
    }
    const std::vector<uchar> hash = mql_sha256(bytes);
    ArrayResize(result, static_cast<int>(hash.size()));
    for (int i = 0; i < result.size(); i++) {
        result[i] = hash[static_cast<size_t>(i)];
    }
    return result.size();
}
