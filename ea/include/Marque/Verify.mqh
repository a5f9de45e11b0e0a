//+------------------------------------------------------------------+
//| Ed25519 (RFC 8032, section 5.1.7): whether a signature is of a    |
//| public key. Owns: SHA-512, which no terminal has, and arithmetic  |
//| modulo 2^255 - 19 in sixteen limbs of 16 bits, as TweetNaCl does. |
//| Refuses to sign, and to hide anything by its timing: all that it  |
//| is given is public.                                               |
//+------------------------------------------------------------------+
#ifndef MARQUE_VERIFY_MQH
#define MARQUE_VERIFY_MQH

#include "Bytes.mqh"

// Little-endian: d of the curve, a square root of -1, the base point's x and y, and the order of its group.
#define MARQUE_CURVE_D "a3785913ca4deb75abd841414d0a700098e879777940c78c73fe6f2bee6c0352"
#define MARQUE_CURVE_I "b0a00e4a271beec478e42fad0618432fa7d7fb3d99004d2b0bdfc14f8024832b"
#define MARQUE_CURVE_X "1ad5258f602d56c9b2a7259560c72c695cdcd6fd31e2a4c0fe536ecdd3366921"
#define MARQUE_CURVE_Y "5866666666666666666666666666666666666666666666666666666666666666"
#define MARQUE_CURVE_L "edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010"
#define MARQUE_LIMBS 16

// False for what is no even number of lower-case digits.
bool MqUnhex(const string hex, uchar &bytes[])
{
   int count = StringLen(hex) / 2;
   ArrayResize(bytes, 0);
   if(!MqIsHex(hex, 2 * count))
      return(false);
   ArrayResize(bytes, count);
   for(int i = 0; i < count; i++)
   {
      int high = StringGetCharacter(hex, 2 * i), low = StringGetCharacter(hex, 2 * i + 1);
      bytes[i] = (uchar)((high > '9' ? high - 'a' + 10 : high - '0') * 16 + (low > '9' ? low - 'a' + 10 : low - '0'));
   }
   return(true);
}

ulong MqWord(const uchar &bytes[], const int at)
{
   ulong word = 0;
   for(int i = 0; i < 8; i++)
      word = word << 8 | bytes[at + i];
   return(word);
}

void MqWords(const string hex, ulong &words[])
{
   uchar bytes[];
   MqUnhex(hex, bytes);
   int count = ArraySize(bytes) / 8;
   ArrayResize(words, count);
   for(int i = 0; i < count; i++)
      words[i] = MqWord(bytes, 8 * i);
}

ulong MqTurned(const ulong word, const int bits)
{
   return(word >> bits | word << (64 - bits));
}

// FIPS 180-4.
void MqSha512(const uchar &data[], uchar &hash[])
{
   ulong state[], rounds[], w[], v[];
   MqWords("6a09e667f3bcc908bb67ae8584caa73b3c6ef372fe94f82ba54ff53a5f1d36f1"
          + "510e527fade682d19b05688c2b3e6c1f1f83d9abfb41bd6b5be0cd19137e2179", state);
   MqWords("428a2f98d728ae227137449123ef65cdb5c0fbcfec4d3b2fe9b5dba58189dbbc3956c25bf348b538"
          + "59f111f1b605d019923f82a4af194f9bab1c5ed5da6d8118d807aa98a303024212835b0145706fbe"
          + "243185be4ee4b28c550c7dc3d5ffb4e272be5d74f27b896f80deb1fe3b1696b19bdc06a725c71235"
          + "c19bf174cf692694e49b69c19ef14ad2efbe4786384f25e30fc19dc68b8cd5b5240ca1cc77ac9c65"
          + "2de92c6f592b02754a7484aa6ea6e4835cb0a9dcbd41fbd476f988da831153b5983e5152ee66dfab"
          + "a831c66d2db43210b00327c898fb213fbf597fc7beef0ee4c6e00bf33da88fc2d5a79147930aa725"
          + "06ca6351e003826f142929670a0e6e7027b70a8546d22ffc2e1b21385c26c9264d2c6dfc5ac42aed"
          + "53380d139d95b3df650a73548baf63de766a0abb3c77b2a881c2c92e47edaee692722c851482353b"
          + "a2bfe8a14cf10364a81a664bbc423001c24b8b70d0f89791c76c51a30654be30d192e819d6ef5218"
          + "d69906245565a910f40e35855771202a106aa07032bbd1b819a4c116b8d2d0c81e376c085141ab53"
          + "2748774cdf8eeb9934b0bcb5e19b48a8391c0cb3c5c95a634ed8aa4ae3418acb5b9cca4f7763e373"
          + "682e6ff3d6b2b8a3748f82ee5defb2fc78a5636f43172f6084c87814a1f0ab728cc702081a6439ec"
          + "90befffa23631e28a4506cebde82bde9bef9a3f7b2c67915c67178f2e372532bca273eceea26619c"
          + "d186b8c721c0c207eada7dd6cde0eb1ef57d4f7fee6ed17806f067aa72176fba0a637dc5a2c898a6"
          + "113f9804bef90dae1b710b35131c471b28db77f523047d8432caab7b40c724933c9ebe0a15c9bebc"
          + "431d67c49c100d4c4cc5d4becb3e42b6597f299cfc657e2a5fcb6fab3ad6faec6c44198c4a475817", rounds);
   uchar padded[];
   MqAppend(padded, data);
   int size = ArraySize(data), whole = (size + 17 + 127) / 128 * 128;
   ArrayResize(padded, whole);
   for(int i = size; i < whole; i++)
      padded[i] = 0;
   padded[size] = 0x80;
   ulong bits = (ulong)size * 8;
   for(int i = 0; i < 8; i++)
      padded[whole - 1 - i] = (uchar)(bits >> (8 * i) & 255);
   ArrayResize(w, 80);
   ArrayResize(v, 8);
   for(int at = 0; at < whole; at += 128)
   {
      for(int i = 0; i < 16; i++)
         w[i] = MqWord(padded, at + 8 * i);
      for(int i = 16; i < 80; i++)
      {
         ulong a = MqTurned(w[i - 15], 1) ^ MqTurned(w[i - 15], 8) ^ w[i - 15] >> 7;
         ulong b = MqTurned(w[i - 2], 19) ^ MqTurned(w[i - 2], 61) ^ w[i - 2] >> 6;
         w[i] = w[i - 16] + a + w[i - 7] + b;
      }
      for(int i = 0; i < 8; i++)
         v[i] = state[i];
      for(int i = 0; i < 80; i++)
      {
         ulong s1 = MqTurned(v[4], 14) ^ MqTurned(v[4], 18) ^ MqTurned(v[4], 41);
         ulong t1 = v[7] + s1 + ((v[4] & v[5]) ^ (~v[4] & v[6])) + rounds[i] + w[i];
         ulong s0 = MqTurned(v[0], 28) ^ MqTurned(v[0], 34) ^ MqTurned(v[0], 39);
         ulong t2 = s0 + ((v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2]));
         for(int j = 7; j > 0; j--)
            v[j] = v[j - 1];
         v[4] += t1;
         v[0] = t1 + t2;
      }
      for(int i = 0; i < 8; i++)
         state[i] += v[i];
   }
   ArrayResize(hash, 64);
   for(int i = 0; i < 64; i++)
      hash[i] = (uchar)(state[i / 8] >> (56 - 8 * (i % 8)) & 255);
}

// Numbers are registers of sixteen limbs in one array; a point is four of them: x, y, z and t, with xy = zt.
enum ENUM_MARQUE_REGISTER
{
   MARQUE_R_D,    // Constants.
   MARQUE_R_D2,
   MARQUE_R_I,
   MARQUE_R_ONE,
   MARQUE_R_ZERO,
   MARQUE_R_A,    // What a calculation passes through.
   MARQUE_R_B,
   MARQUE_R_C,
   MARQUE_R_E,
   MARQUE_R_F,
   MARQUE_R_G,
   MARQUE_R_H,
   MARQUE_R_T,    // What a power, a comparison and a packing pass through.
   MARQUE_R_U,
   MARQUE_R_BASE = 14,  // Points, of four each: the base point,
   MARQUE_R_KEY = 18,   // the key with its sign turned,
   MARQUE_R_BOTH = 22,  // their sum,
   MARQUE_R_SUM = 26,   // and the result.
   MARQUE_R_COUNT = 30
};

class CMarqueVerify
{
private:
   long m_r[];
   long m_t[];

   void Copy(const int to, const int from);
   void Add(const int to, const int a, const int b);
   void Take(const int to, const int a, const int b);
   void Times(const int to, const int a, const int b);
   void Carry(const int of);
   void Unpack(const int to, const uchar &bytes[]);
   void Constant(const int to, const string hex);
   void Pack(const int from, uchar &bytes[]);
   bool Same(const int a, const int b);
   void Power(const int to, const int of, const bool inverse);
   void Plus(const int p, const int q);
   void Double(const int p);
   void CopyPoint(const int to, const int from);
   bool Decompress(const int point, const uchar &bytes[]);
   void Compress(const int point, uchar &bytes[]);
   void Reduce(const uchar &hash[], uchar &scalar[]) const;
   bool IsBelowOrder(const uchar &bytes[], const int from) const;

public:
   // `key` has 32 bytes, `signature` 64.
   bool Ed25519(const uchar &key[], const uchar &signature[], const uchar &message[]);
};

void CMarqueVerify::Copy(const int to, const int from)
{
   int o = 16 * to, x = 16 * from;
   for(int i = 0; i < MARQUE_LIMBS; i++)
      m_r[o + i] = m_r[x + i];
}

void CMarqueVerify::Add(const int to, const int a, const int b)
{
   int o = 16 * to, x = 16 * a, y = 16 * b;
   for(int i = 0; i < MARQUE_LIMBS; i++)
      m_r[o + i] = m_r[x + i] + m_r[y + i];
}

void CMarqueVerify::Take(const int to, const int a, const int b)
{
   int o = 16 * to, x = 16 * a, y = 16 * b;
   for(int i = 0; i < MARQUE_LIMBS; i++)
      m_r[o + i] = m_r[x + i] - m_r[y + i];
}

// 2^256 is 38.
void CMarqueVerify::Times(const int to, const int a, const int b)
{
   int o = 16 * to, x = 16 * a, y = 16 * b;
   for(int i = 0; i < 2 * MARQUE_LIMBS; i++)
      m_t[i] = 0;
   for(int i = 0; i < MARQUE_LIMBS; i++)
   {
      long limb = m_r[x + i];
      for(int j = 0; j < MARQUE_LIMBS; j++)
         m_t[i + j] += limb * m_r[y + j];
   }
   for(int i = 0; i < MARQUE_LIMBS; i++)
      m_r[o + i] = m_t[i] + 38 * m_t[i + MARQUE_LIMBS];
   Carry(to);
   Carry(to);
}

void CMarqueVerify::Carry(const int of)
{
   int o = 16 * of;
   for(int i = 0; i < MARQUE_LIMBS; i++)
   {
      // Shifting a negative number keeps its sign.
      long carry = m_r[o + i] >> 16;
      m_r[o + i] -= carry * 65536;
      if(i < MARQUE_LIMBS - 1)
         m_r[o + i + 1] += carry;
      else
         m_r[o] += 38 * carry;
   }
}

// The highest bit is the sign of x and not of the number.
void CMarqueVerify::Unpack(const int to, const uchar &bytes[])
{
   int o = 16 * to;
   for(int i = 0; i < MARQUE_LIMBS; i++)
      m_r[o + i] = bytes[2 * i] + 256 * (long)bytes[2 * i + 1];
   m_r[o + 15] &= 0x7fff;
}

void CMarqueVerify::Constant(const int to, const string hex)
{
   uchar bytes[];
   MqUnhex(hex, bytes);
   Unpack(to, bytes);
}

// The one number below 2^255 - 19 that it is.
void CMarqueVerify::Pack(const int from, uchar &bytes[])
{
   int t = 16 * MARQUE_R_T, u = 16 * MARQUE_R_U;
   Copy(MARQUE_R_T, from);
   for(int i = 0; i < 3; i++)
      Carry(MARQUE_R_T);
   for(int turn = 0; turn < 2; turn++)
   {
      long borrow = 0;
      for(int i = 0; i < MARQUE_LIMBS; i++)
      {
         long limb = m_r[t + i] - (i == 0 ? 0xffed : i == 15 ? 0x7fff : 0xffff) - borrow;
         borrow = limb < 0 ? 1 : 0;
         m_r[u + i] = limb & 0xffff;
      }
      if(borrow == 0)
         Copy(MARQUE_R_T, MARQUE_R_U);
   }
   ArrayResize(bytes, 32);
   for(int i = 0; i < MARQUE_LIMBS; i++)
   {
      bytes[2 * i]     = (uchar)(m_r[t + i] & 255);
      bytes[2 * i + 1] = (uchar)(m_r[t + i] >> 8 & 255);
   }
}

bool CMarqueVerify::Same(const int a, const int b)
{
   uchar x[], y[];
   Pack(a, x);
   Pack(b, y);
   for(int i = 0; i < 32; i++)
      if(x[i] != y[i])
         return(false);
   return(true);
}

// To the power of 2^255 - 21, which is the inverse, or of 2^252 - 3, which a square root is made of.
void CMarqueVerify::Power(const int to, const int of, const bool inverse)
{
   Copy(MARQUE_R_T, of);
   for(int i = inverse ? 253 : 250; i >= 0; i--)
   {
      Times(MARQUE_R_T, MARQUE_R_T, MARQUE_R_T);
      bool one = inverse ? i != 2 && i != 4 : i != 1;
      if(one)
         Times(MARQUE_R_T, MARQUE_R_T, of);
   }
   Copy(to, MARQUE_R_T);
}

// RFC 8032, section 5.1.4.
void CMarqueVerify::Plus(const int p, const int q)
{
   Take(MARQUE_R_A, p + 1, p);
   Take(MARQUE_R_T, q + 1, q);
   Times(MARQUE_R_A, MARQUE_R_A, MARQUE_R_T);
   Add(MARQUE_R_B, p, p + 1);
   Add(MARQUE_R_T, q, q + 1);
   Times(MARQUE_R_B, MARQUE_R_B, MARQUE_R_T);
   Times(MARQUE_R_C, p + 3, q + 3);
   Times(MARQUE_R_C, MARQUE_R_C, MARQUE_R_D2);
   Times(MARQUE_R_T, p + 2, q + 2);
   Add(MARQUE_R_T, MARQUE_R_T, MARQUE_R_T);
   Take(MARQUE_R_E, MARQUE_R_B, MARQUE_R_A);
   Take(MARQUE_R_F, MARQUE_R_T, MARQUE_R_C);
   Add(MARQUE_R_G, MARQUE_R_T, MARQUE_R_C);
   Add(MARQUE_R_H, MARQUE_R_B, MARQUE_R_A);
   Times(p, MARQUE_R_E, MARQUE_R_F);
   Times(p + 1, MARQUE_R_G, MARQUE_R_H);
   Times(p + 2, MARQUE_R_F, MARQUE_R_G);
   Times(p + 3, MARQUE_R_E, MARQUE_R_H);
}

void CMarqueVerify::Double(const int p)
{
   Times(MARQUE_R_A, p, p);
   Times(MARQUE_R_B, p + 1, p + 1);
   Times(MARQUE_R_C, p + 2, p + 2);
   Add(MARQUE_R_C, MARQUE_R_C, MARQUE_R_C);
   Add(MARQUE_R_H, MARQUE_R_A, MARQUE_R_B);
   Add(MARQUE_R_T, p, p + 1);
   Times(MARQUE_R_T, MARQUE_R_T, MARQUE_R_T);
   Take(MARQUE_R_E, MARQUE_R_H, MARQUE_R_T);
   Take(MARQUE_R_G, MARQUE_R_A, MARQUE_R_B);
   Add(MARQUE_R_F, MARQUE_R_C, MARQUE_R_G);
   Times(p, MARQUE_R_E, MARQUE_R_F);
   Times(p + 1, MARQUE_R_G, MARQUE_R_H);
   Times(p + 2, MARQUE_R_F, MARQUE_R_G);
   Times(p + 3, MARQUE_R_E, MARQUE_R_H);
}

void CMarqueVerify::CopyPoint(const int to, const int from)
{
   for(int i = 0; i < 4; i++)
      Copy(to + i, from + i);
}

// The point with its sign turned; false for what is none. Section 5.1.3.
bool CMarqueVerify::Decompress(const int point, const uchar &bytes[])
{
   uchar same[];
   Unpack(point + 1, bytes);
   Pack(point + 1, same);
   for(int i = 0; i < 32; i++)
      if(same[i] != (i == 31 ? bytes[i] & 0x7f : bytes[i]))
         return(false);
   Copy(point + 2, MARQUE_R_ONE);
   Times(MARQUE_R_A, point + 1, point + 1);
   Times(MARQUE_R_B, MARQUE_R_A, MARQUE_R_D);
   Take(MARQUE_R_A, MARQUE_R_A, MARQUE_R_ONE);
   Add(MARQUE_R_B, MARQUE_R_B, MARQUE_R_ONE);
   // x = a b^3 (a b^7)^((p - 5) / 8), and perhaps times a root of -1.
   Times(MARQUE_R_C, MARQUE_R_B, MARQUE_R_B);
   Times(MARQUE_R_C, MARQUE_R_C, MARQUE_R_B);
   Times(MARQUE_R_E, MARQUE_R_C, MARQUE_R_C);
   Times(MARQUE_R_E, MARQUE_R_E, MARQUE_R_B);
   Times(MARQUE_R_E, MARQUE_R_E, MARQUE_R_A);
   Power(MARQUE_R_E, MARQUE_R_E, false);
   Times(MARQUE_R_E, MARQUE_R_E, MARQUE_R_C);
   Times(point, MARQUE_R_E, MARQUE_R_A);
   Times(MARQUE_R_F, point, point);
   Times(MARQUE_R_F, MARQUE_R_F, MARQUE_R_B);
   if(!Same(MARQUE_R_F, MARQUE_R_A))
   {
      Times(point, point, MARQUE_R_I);
      Times(MARQUE_R_F, point, point);
      Times(MARQUE_R_F, MARQUE_R_F, MARQUE_R_B);
      if(!Same(MARQUE_R_F, MARQUE_R_A))
         return(false);
   }
   Pack(point, same);
   if((same[0] & 1) == bytes[31] >> 7)
      Take(point, MARQUE_R_ZERO, point);
   Times(point + 3, point, point + 1);
   return(true);
}

void CMarqueVerify::Compress(const int point, uchar &bytes[])
{
   uchar x[];
   Power(MARQUE_R_A, point + 2, true);
   Times(MARQUE_R_B, point, MARQUE_R_A);
   Times(MARQUE_R_C, point + 1, MARQUE_R_A);
   Pack(MARQUE_R_B, x);
   Pack(MARQUE_R_C, bytes);
   bytes[31] = (uchar)(bytes[31] | (x[0] & 1) << 7);
}

bool CMarqueVerify::IsBelowOrder(const uchar &bytes[], const int from) const
{
   uchar order[];
   MqUnhex(MARQUE_CURVE_L, order);
   for(int i = 31; i >= 0; i--)
      if(bytes[from + i] != order[i])
         return(bytes[from + i] < order[i]);
   return(false);
}

// 64 bytes modulo the order of the group.
void CMarqueVerify::Reduce(const uchar &hash[], uchar &scalar[]) const
{
   uchar order[];
   long  x[];
   MqUnhex(MARQUE_CURVE_L, order);
   ArrayResize(x, 64);
   for(int i = 0; i < 64; i++)
      x[i] = hash[i];
   for(int i = 63; i >= 32; i--)
   {
      long carry = 0;
      for(int j = i - 32; j < i - 12; j++)
      {
         x[j] += carry - 16 * x[i] * order[j - (i - 32)];
         carry = (x[j] + 128) >> 8;
         x[j] -= carry * 256;
      }
      x[i - 12] += carry;
      x[i] = 0;
   }
   long carried = 0, top = x[31] >> 4;
   for(int j = 0; j < 32; j++)
   {
      x[j] += carried - top * order[j];
      carried = x[j] >> 8;
      x[j] &= 255;
   }
   for(int j = 0; j < 32; j++)
      x[j] -= carried * order[j];
   ArrayResize(scalar, 32);
   for(int i = 0; i < 32; i++)
   {
      x[i + 1] += x[i] >> 8;
      scalar[i] = (uchar)(x[i] & 255);
   }
}

bool CMarqueVerify::Ed25519(const uchar &key[], const uchar &signature[], const uchar &message[])
{
   if(ArraySize(key) != 32 || ArraySize(signature) != 64 || !IsBelowOrder(signature, 32))
      return(false);
   ArrayResize(m_r, 16 * MARQUE_R_COUNT);
   ArrayResize(m_t, 2 * MARQUE_LIMBS);
   for(int i = 0; i < 16 * MARQUE_R_COUNT; i++)
      m_r[i] = 0;
   Constant(MARQUE_R_D, MARQUE_CURVE_D);
   Constant(MARQUE_R_I, MARQUE_CURVE_I);
   Add(MARQUE_R_D2, MARQUE_R_D, MARQUE_R_D);
   m_r[16 * MARQUE_R_ONE] = 1;
   Constant(MARQUE_R_BASE, MARQUE_CURVE_X);
   Constant(MARQUE_R_BASE + 1, MARQUE_CURVE_Y);
   Copy(MARQUE_R_BASE + 2, MARQUE_R_ONE);
   Times(MARQUE_R_BASE + 3, MARQUE_R_BASE, MARQUE_R_BASE + 1);
   if(!Decompress(MARQUE_R_KEY, key))
      return(false);
   uchar hashed[], hash[], challenge[], point[];
   ArrayResize(hashed, 32);
   for(int i = 0; i < 32; i++)
      hashed[i] = signature[i];
   MqAppend(hashed, key);
   MqAppend(hashed, message);
   MqSha512(hashed, hash);
   Reduce(hash, challenge);
   // response * base - challenge * key, both at once, from the highest bit: it must be the point that the signature begins with.
   CopyPoint(MARQUE_R_BOTH, MARQUE_R_BASE);
   Plus(MARQUE_R_BOTH, MARQUE_R_KEY);
   Copy(MARQUE_R_SUM + 1, MARQUE_R_ONE);
   Copy(MARQUE_R_SUM + 2, MARQUE_R_ONE);
   for(int i = 255; i >= 0; i--)
   {
      int base = signature[32 + i / 8] >> (i % 8) & 1, other = challenge[i / 8] >> (i % 8) & 1;
      Double(MARQUE_R_SUM);
      if(base + other > 0)
         Plus(MARQUE_R_SUM, base + other == 2 ? MARQUE_R_BOTH : base == 1 ? MARQUE_R_BASE : MARQUE_R_KEY);
   }
   Compress(MARQUE_R_SUM, point);
   for(int i = 0; i < 32; i++)
      if(point[i] != signature[i])
         return(false);
   return(true);
}

#endif
