//+------------------------------------------------------------------+
//| Whether an answer may be believed: signature, nonce, and that it  |
//| is about this EA here. Owns: the signed bytes.                    |
//| Refuses to know: what follows from an answer.                     |
//+------------------------------------------------------------------+
#ifndef MARQUE_ANSWER_MQH
#define MARQUE_ANSWER_MQH

#include "Key.mqh"
#include "Json.mqh"
#include "Verify.mqh"

// `#define MARQUE_VENDOR_KEY "<64 hexadecimal digits>"` before the library is included: answers are asked for with Ed25519 from a key of
// this list (with spaces), and only those count that one of them has signed. Then no licence key, whoever made it up, makes an answer.

// How many of them a request names.
#define MARQUE_SIGNERS_MAX 8

// No server may let an EA run longer than this without being heard.
#define MARQUE_GRACE_S_MAX 2678400

// What an activation gave: with the licence key, the key that its answers are signed with.
struct MarqueActivation
{
   string id;
   long   generation;
   string salt;
};

void MqForget(MarqueActivation &activation)
{
   activation.id         = "";
   activation.generation = 0;
   activation.salt       = "";
}

bool MqIsActivation(const MarqueActivation &activation)
{
   return(StringLen(activation.id) > 0 && activation.generation > 0 && MqIsHex(activation.salt, 64));
}

string MqActivationKid(const MarqueActivation &activation)
{
   return("a." + activation.id + "." + IntegerToString(activation.generation));
}

// The HMAC over four lines and the payload, as hexadecimal text; empty when it cannot be computed.
string MqSignature(const uchar &key[], const string kind, const string operation, const string kid, const uchar &payload[])
{
   uchar message[], mac[];
   MqAppendText(message, "marque-ea-1\n" + kind + "\n" + operation + "\n" + kid + "\n");
   MqAppend(message, payload);
   return(MqHmac(key, message, mac) ? MqHex(mac) : "");
}

string MqSignatureHeader(const string kid, const string signature)
{
   return("kid=" + kid + ", hmac-sha256=" + signature);
}

// Takes `kid=…, <algorithm>=…` apart.
bool MqReadSigned(const string header, const string algorithm, const int digits, string &kid, string &signature)
{
   kid       = "";
   signature = "";
   int comma = StringFind(header, ",");
   if(comma < 0 || !MqStarts(header, "kid="))
      return(false);
   string second = MqTrim(MqRest(header, comma + 1));
   if(!MqStarts(second, algorithm + "="))
      return(false);
   kid       = MqPart(header, 4, comma - 4);
   signature = MqRest(second, StringLen(algorithm) + 1);
   return(MqIsHex(signature, digits));
}

bool MqReadSignature(const string header, string &kid, string &signature)
{
   return(MqReadSigned(header, "hmac-sha256", 64, kid, signature));
}

bool MqIsPinned()
{
#ifdef MARQUE_VENDOR_KEY
   return(true);
#else
   return(false);
#endif
}

// The keys that stand in the EA's source; what is no key is left out.
int MqVendorKeys(string &keys[])
{
   int found = 0;
   ArrayResize(keys, 0);
#ifdef MARQUE_VENDOR_KEY
   string parts[];
   int    count = StringSplit(MqLower(MARQUE_VENDOR_KEY), ' ', parts);
   for(int i = 0; i < count; i++)
      if(MqIsHex(parts[i], 64))
      {
         found++;
         ArrayResize(keys, found);
         keys[found - 1] = parts[i];
      }
#endif
   return(found);
}

// The same as a request names them; empty where there are none.
string MqSigners()
{
   string keys[];
   string names = "";
   int    count = MqVendorKeys(keys);
   for(int i = 0; i < count && i < MARQUE_SIGNERS_MAX; i++)
      names += (i > 0 ? " " : "") + keys[i];
   return(names);
}

// Whether a key that stands in the EA's source has signed an answer.
bool MqIsVendors(const string operation, const string header, const uchar &body[])
{
   string kid = "", signature = "";
   string keys[];
   uchar  key[], bytes[], message[];
   if(!MqReadSigned(header, "ed25519", 128, kid, signature) || !MqUnhex(signature, bytes))
      return(false);
   MqAppendText(message, "marque-ea-1\nanswer\n" + operation + "\n" + kid + "\n");
   MqAppend(message, body);
   CMarqueVerify verify;
   int count = MqVendorKeys(keys);
   for(int i = 0; i < count; i++)
      if(MqUnhex(keys[i], key) && verify.Ed25519(key, bytes, message))
         return(true);
   return(false);
}

class CMarqueJudge
{
private:
   string m_product;
   string m_account;
   string m_machine;

   bool Key(const CMarqueKey &key, const MarqueActivation &activation, const string kid, uchar &mac_key[]) const;

public:
        CMarqueJudge() { m_product = ""; m_account = ""; m_machine = ""; }
   void Set(const string product, const string account, const string machine);

   // Whether the signature fits, by the licence's key or the activation's. `by_activation` tells which.
   bool IsSigned(const CMarqueKey &key, const MarqueActivation &activation, const string operation, const string header,
                 const uchar &body[], bool &by_activation) const;
   // Empty when a signed answer speaks of this EA on this account and computer, else what is wrong with it.
   string Wrong(const CMarqueKey &key, const MarqueActivation &activation, const string operation, const bool by_activation,
                const CMarqueFields &answer) const;
};

void CMarqueJudge::Set(const string product, const string account, const string machine)
{
   m_product = product;
   m_account = account;
   m_machine = machine;
}

bool CMarqueJudge::Key(const CMarqueKey &key, const MarqueActivation &activation, const string kid, uchar &mac_key[]) const
{
   if(kid == "l." + key.Id())
      return(key.LicenceKey(mac_key));
   if(MqIsActivation(activation) && kid == MqActivationKid(activation))
      return(key.ActivationKey(activation.id, activation.generation, activation.salt, mac_key));
   return(false);
}

bool CMarqueJudge::IsSigned(const CMarqueKey &key, const MarqueActivation &activation, const string operation,
                            const string header, const uchar &body[], bool &by_activation) const
{
   string kid = "", signature = "";
   uchar  mac_key[];
   by_activation = false;
   if(MqIsPinned())
   {
      // The vendor's word is worth as much as the activation's: Wrong() looks at whose seat it speaks of.
      by_activation = MqIsVendors(operation, header, body);
      return(by_activation);
   }
   if(!MqReadSignature(header, kid, signature) || !Key(key, activation, kid, mac_key))
      return(false);
   by_activation = MqStarts(kid, "a.");
   string own = MqSignature(mac_key, "answer", operation, kid, body);
   return(StringLen(own) > 0 && MqSameText(own, signature));
}

string CMarqueJudge::Wrong(const CMarqueKey &key, const MarqueActivation &activation, const string operation,
                           const bool by_activation, const CMarqueFields &answer) const
{
   if(answer.Number("protocol", 0) != 1 || answer.Get("operation") != operation)
      return("it answers another question");
   if(answer.Get("key_id") != key.Id() || answer.Get("product") != m_product)
      return("it is for another licence or EA");
   if(answer.Get("account") != m_account || answer.Get("machine") != m_machine)
      return("it is for another account or computer");
   long now = answer.Number("server_time", 0);
   if(now <= 0)
      return("it has no time");
   if(!answer.IsTrue("valid"))
      return(StringLen(answer.Get("code")) > 0 && answer.Get("code") != "VALID" ? "" : "it says neither yes nor no");
   // Every computer of the licence knows the licence's key; only this one knows the activation's.
   if(!by_activation || answer.Get("activation") != activation.id)
      return("it is not signed for this activation");
   long lease = answer.Number("lease_until", 0), grace = answer.Number("grace_until", 0);
   if(lease < now || grace < lease || grace > now + MARQUE_GRACE_S_MAX)
      return("its times do not fit together");
   return("");
}

#endif
