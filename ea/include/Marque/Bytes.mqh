//+------------------------------------------------------------------+
//| Texts, bytes, SHA-256 and what is built from it.                  |
//| Owns: UTF-8, hexadecimal, HMAC (RFC 2104), HKDF-Expand (RFC 5869).|
//| Refuses to know: what is signed, and why.                         |
//+------------------------------------------------------------------+
#ifndef MARQUE_BYTES_MQH
#define MARQUE_BYTES_MQH

#define MARQUE_HASH_BYTES 32
#define MARQUE_BLOCK_BYTES 64

// A part of a text. StringSubstr takes a length of 0 for "the rest" in MetaTrader 4 and for nothing in 5.
string MqPart(const string text, const int from, const int count)
{
   if(count <= 0 || from < 0 || from >= StringLen(text))
      return("");
   return(StringSubstr(text, from, count));
}

string MqRest(const string text, const int from)
{
   return(MqPart(text, from, StringLen(text) - from));
}

bool MqStarts(const string text, const string with)
{
   return(MqPart(text, 0, StringLen(with)) == with);
}

// Without spaces at both ends. StringTrimLeft and its sister differ between MetaTrader 4 and 5.
string MqTrim(const string text)
{
   int from = 0, to = StringLen(text);
   while(from < to && StringGetCharacter(text, from) <= ' ')
      from++;
   while(to > from && StringGetCharacter(text, to - 1) <= ' ')
      to--;
   return(MqPart(text, from, to - from));
}

string MqLower(const string text)
{
   string lower = text;
   StringToLower(lower);
   return(lower);
}

// UTF-8, without a zero at the end.
void MqBytes(const string text, uchar &bytes[])
{
   ArrayResize(bytes, 0);
   if(StringLen(text) == 0)
      return;
   StringToCharArray(text, bytes, 0, -1, CP_UTF8);
   int size = ArraySize(bytes);
   if(size > 0 && bytes[size - 1] == 0)
      ArrayResize(bytes, size - 1);
}

string MqText(const uchar &bytes[], const int from, const int count)
{
   if(count <= 0 || from < 0 || from + count > ArraySize(bytes))
      return("");
   return(CharArrayToString(bytes, from, count, CP_UTF8));
}

void MqAppend(uchar &bytes[], const uchar &more[])
{
   int size = ArraySize(bytes), count = ArraySize(more);
   ArrayResize(bytes, size + count);
   for(int i = 0; i < count; i++)
      bytes[size + i] = more[i];
}

void MqAppendText(uchar &bytes[], const string text)
{
   uchar more[];
   MqBytes(text, more);
   MqAppend(bytes, more);
}

string MqHex(const uchar &bytes[])
{
   const string digits = "0123456789abcdef";
   string text = "";
   int size = ArraySize(bytes);
   for(int i = 0; i < size; i++)
      text += MqPart(digits, bytes[i] / 16, 1) + MqPart(digits, bytes[i] % 16, 1);
   return(text);
}

// Whether a text is so many lower-case hexadecimal digits.
bool MqIsHex(const string text, const int digits)
{
   if(StringLen(text) != digits)
      return(false);
   for(int i = 0; i < digits; i++)
   {
      int c = StringGetCharacter(text, i);
      if(!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f')))
         return(false);
   }
   return(true);
}

bool MqIsDigits(const string text)
{
   int length = StringLen(text);
   for(int i = 0; i < length; i++)
   {
      int c = StringGetCharacter(text, i);
      if(c < '0' || c > '9')
         return(false);
   }
   return(length > 0);
}

// False where the terminal cannot hash: nothing may be believed then.
bool MqSha256(const uchar &data[], uchar &hash[])
{
   uchar none[];
   ArrayResize(none, 0);
   return(CryptEncode(CRYPT_HASH_SHA256, data, none, hash) == MARQUE_HASH_BYTES);
}

bool MqHmac(const uchar &key[], const uchar &message[], uchar &mac[])
{
   uchar block[], inner[], outer[], hash[];
   if(ArraySize(key) > MARQUE_BLOCK_BYTES)
   {
      if(!MqSha256(key, block))
         return(false);
   }
   else
      MqAppend(block, key);
   int used = ArraySize(block);
   ArrayResize(block, MARQUE_BLOCK_BYTES);
   ArrayResize(inner, MARQUE_BLOCK_BYTES);
   ArrayResize(outer, MARQUE_BLOCK_BYTES);
   for(int i = 0; i < MARQUE_BLOCK_BYTES; i++)
   {
      if(i >= used)
         block[i] = 0;
      inner[i] = (uchar)(block[i] ^ 0x36);
      outer[i] = (uchar)(block[i] ^ 0x5c);
   }
   MqAppend(inner, message);
   if(!MqSha256(inner, hash))
      return(false);
   MqAppend(outer, hash);
   return(MqSha256(outer, mac));
}

bool MqHmacText(const uchar &key[], const string message, uchar &mac[])
{
   uchar bytes[];
   MqBytes(message, bytes);
   return(MqHmac(key, bytes, mac));
}

// The first 32 bytes of HKDF-Expand.
bool MqExpand(const uchar &secret[], const string info, uchar &key[])
{
   uchar bytes[];
   MqBytes(info, bytes);
   int size = ArraySize(bytes);
   ArrayResize(bytes, size + 1);
   bytes[size] = 1;
   return(MqHmac(secret, bytes, key));
}

// Looks at every character whatever the first ones say.
bool MqSameText(const string a, const string b)
{
   int length = StringLen(a);
   if(length != StringLen(b))
      return(false);
   int difference = 0;
   for(int i = 0; i < length; i++)
      difference |= StringGetCharacter(a, i) ^ StringGetCharacter(b, i);
   return(difference == 0);
}

#endif
