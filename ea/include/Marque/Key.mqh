//+------------------------------------------------------------------+
//| The licence key: how it is typed, and the keys derived from it.   |
//| Owns: its check character, key ids, the licence's, the            |
//| activation's and the state file's key. The licence key itself     |
//| never leaves this file: servers see what is derived from it.      |
//+------------------------------------------------------------------+
#ifndef MARQUE_KEY_MQH
#define MARQUE_KEY_MQH

#include "Bytes.mqh"

#define MARQUE_KEY_CHARS 25
#define MARQUE_ALPHABET "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

class CMarqueKey
{
private:
   uchar  m_secret[];
   string m_id;

   bool Canonical(const string typed, string &key, string &fault) const;
   string Check(const string body) const;

public:
          CMarqueKey() { m_id = ""; }
   // False when the key is mistyped; `fault` then says how, for the trader.
   bool   Set(const string typed, string &fault);
   string Id() const { return(m_id); }
   bool   LicenceKey(uchar &key[]) const { return(MqExpand(m_secret, "licence-mac", key)); }
   bool   ActivationKey(const string activation, const long generation, const string salt, uchar &key[]) const;
   bool   StateKey(const string machine, uchar &key[]) const;
   // 32 hexadecimal digits that nobody can tell beforehand who does not know the licence key.
   string Nonce(const string entropy) const;
};

bool CMarqueKey::Set(const string typed, string &fault)
{
   string key = "";
   m_id = "";
   ArrayResize(m_secret, 0);
   if(!Canonical(typed, key, fault))
      return(false);
   uchar label[], id[];
   MqBytes("marque-ea-1 licence", label);
   if(!MqHmacText(label, key, m_secret) || !MqExpand(m_secret, "key-id", id))
   {
      fault = "The terminal cannot compute SHA-256. Update MetaTrader and start the EA again.";
      return(false);
   }
   ArrayResize(id, 16);
   m_id = MqHex(id);
   return(true);
}

bool CMarqueKey::Canonical(const string typed, string &key, string &fault) const
{
   key = "";
   int length = StringLen(typed);
   for(int i = 0; i < length; i++)
   {
      string c = MqPart(typed, i, 1);
      StringToUpper(c);
      if(c == "-" || StringGetCharacter(c, 0) <= ' ')
         continue;
      if(c == "O")
         c = "0";
      if(c == "I" || c == "L")
         c = "1";
      if(StringFind(MARQUE_ALPHABET, c) < 0)
      {
         fault = "The licence key cannot contain '" + c + "'. Copy it again from your portal, page 'Expert Advisors'.";
         return(false);
      }
      key += c;
   }
   if(StringLen(key) == 0)
      fault = "No licence key was entered. Copy it from your portal, page 'Expert Advisors', into the EA's inputs.";
   else if(StringLen(key) != MARQUE_KEY_CHARS)
      fault = "The licence key has " + IntegerToString(StringLen(key)) + " characters and should have 25. Copy it again from"
              + " your portal, page 'Expert Advisors'.";
   else if(Check(MqPart(key, 0, MARQUE_KEY_CHARS - 1)) != MqRest(key, MARQUE_KEY_CHARS - 1))
      fault = "The licence key is mistyped. Copy it again from your portal, page 'Expert Advisors'.";
   else
      return(true);
   return(false);
}

// Luhn's sum over 32 symbols: finds each wrong character and nearly all that changed places.
string CMarqueKey::Check(const string body) const
{
   int total = 0, factor = 2;
   for(int i = StringLen(body) - 1; i >= 0; i--)
   {
      int product = StringFind(MARQUE_ALPHABET, MqPart(body, i, 1)) * factor;
      total += product / 32 + product % 32;
      factor = 3 - factor;
   }
   return(MqPart(MARQUE_ALPHABET, (32 - total % 32) % 32, 1));
}

bool CMarqueKey::ActivationKey(const string activation, const long generation, const string salt, uchar &key[]) const
{
   string info = "activation-mac\n" + activation + "\n" + IntegerToString(generation) + "\n" + salt + "\n";
   return(MqExpand(m_secret, info, key));
}

bool CMarqueKey::StateKey(const string machine, uchar &key[]) const
{
   return(MqExpand(m_secret, "state-mac\n" + machine + "\n", key));
}

string CMarqueKey::Nonce(const string entropy) const
{
   uchar mac[];
   if(!MqExpand(m_secret, "nonce\n" + entropy, mac))
      return("");
   ArrayResize(mac, 16);
   return(MqHex(mac));
}

#endif
