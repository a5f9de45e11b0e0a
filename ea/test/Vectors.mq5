//+------------------------------------------------------------------+
//| A script that computes the golden vectors with the library:       |
//| Files\vectors.jsonl has one flat object a line.                   |
//+------------------------------------------------------------------+
#property strict

#include <Marque/Store.mqh>
#include <Marque/Verify.mqh>

void FromHex(const string hex, uchar &bytes[])
{
   ArrayResize(bytes, StringLen(hex) / 2);
   for(int i = 0; i < ArraySize(bytes); i++)
      bytes[i] = (uchar)(StringFind("0123456789abcdef", MqPart(hex, 2 * i, 1)) * 16
                         + StringFind("0123456789abcdef", MqPart(hex, 2 * i + 1, 1)));
}

// The bytes of a field: as text, or as hexadecimal under its name with `_hex`.
void Field(const CMarqueFields &vector, const string name, uchar &bytes[])
{
   if(vector.Has(name + "_hex"))
      FromHex(vector.Get(name + "_hex"), bytes);
   else
      MqBytes(vector.Get(name), bytes);
}

string Hash(const CMarqueFields &vector)
{
   uchar key[], message[], result[];
   Field(vector, "message", message);
   Field(vector, "key", key);
   bool done = vector.Has("key") || vector.Has("key_hex") ? MqHmac(key, message, result) : MqSha256(message, result);
   return(done ? MqHex(result) : "failed");
}

string Derive(const CMarqueFields &vector)
{
   CMarqueKey key;
   uchar      result[];
   string     fault = "", what = vector.Get("derive");
   if(!key.Set(vector.Get("licence_key"), fault))
      return("mistyped");
   if(what == "key-id")
      return(key.Id());
   bool done = false;
   if(what == "licence")
      done = key.LicenceKey(result);
   else if(what == "activation")
      done = key.ActivationKey(vector.Get("activation"), vector.Number("generation", 0), vector.Get("salt"), result);
   else if(what == "state")
      done = key.StateKey(vector.Get("machine"), result);
   return(done ? MqHex(result) : "failed");
}

string Sign(const CMarqueFields &vector)
{
   uchar key[], payload[];
   FromHex(vector.Get("mac_key_hex"), key);
   MqBytes(vector.Get("payload"), payload);
   return(MqSignatureHeader(vector.Get("kid"), MqSignature(key, vector.Get("kind"), vector.Get("operation"), vector.Get("kid"), payload)));
}

// What the library makes of an answer: accepted, refused, or why it is not believed.
string Judge(const CMarqueFields &vector)
{
   CMarqueKey       key;
   CMarqueJudge     judge;
   CMarqueFields    answer;
   MarqueActivation activation;
   uchar            body[];
   string           fault = "";
   bool             by_activation = false;
   activation.id         = vector.Get("activation");
   activation.generation = vector.Number("generation", 0);
   activation.salt       = vector.Get("salt");
   MqBytes(vector.Get("body"), body);
   if(!key.Set(vector.Get("licence_key"), fault))
      return("mistyped");
   judge.Set(vector.Get("product"), vector.Get("account"), vector.Get("machine"));
   if(!judge.IsSigned(key, activation, vector.Get("operation"), vector.Get("signature"), body, by_activation))
      return("unsigned");
   if(!answer.Read(vector.Get("body")))
      return("unreadable");
   string wrong = judge.Wrong(key, activation, vector.Get("operation"), by_activation, answer);
   if(StringLen(wrong) > 0 || answer.Get("nonce") != vector.Get("nonce"))
      return("elsewhere");
   return(answer.IsTrue("valid") ? "valid" : "refused " + answer.Get("code"));
}

// A lease file as the library finds it on disk.
string Lease(const CMarqueFields &vector)
{
   CMarqueKey       key;
   CMarqueJudge     judge;
   CMarqueStore     store;
   CMarqueFields    answer;
   MarqueActivation activation;
   uchar            body[];
   string           fault = "", operation = "", header = "";
   bool             by_activation = false;
   activation.id         = vector.Get("activation");
   activation.generation = vector.Number("generation", 0);
   activation.salt       = vector.Get("salt");
   store.Set(vector.Get("name"), "1");
   if(!key.Set(vector.Get("licence_key"), fault) || !store.LoadLease(operation, header, body))
      return("bad");
   bool good = judge.IsSigned(key, activation, operation, header, body, by_activation) && by_activation
               && answer.Read(MqText(body, 0, ArraySize(body))) && answer.IsTrue("valid");
   return(good ? "good" : "bad");
}

// A signature of a public key, over bytes or over an answer.
string Verify(const CMarqueFields &vector)
{
   CMarqueVerify verify;
   uchar         key[], signature[], message[];
   FromHex(vector.Get("public_key"), key);
   if(vector.Get("test") == "verify")
   {
      FromHex(vector.Get("signature_hex"), signature);
      FromHex(vector.Get("message_hex"), message);
      return(verify.Ed25519(key, signature, message) ? "good" : "bad");
   }
   string kid = "", found = "";
   if(!MqReadSigned(vector.Get("signature"), "ed25519", 128, kid, found) || kid != vector.Get("kid"))
      return("bad");
   FromHex(found, signature);
   MqAppendText(message, "marque-ea-1\nanswer\n" + vector.Get("operation") + "\n" + kid + "\n" + vector.Get("body"));
   return(verify.Ed25519(key, signature, message) ? "good" : "bad");
}

string Compute(const CMarqueFields &vector)
{
   string kind = vector.Get("test");
   if(kind == "hash")
      return(Hash(vector));
   if(kind == "derive")
      return(Derive(vector));
   if(kind == "sign")
      return(Sign(vector));
   if(kind == "judge")
      return(Judge(vector));
   if(kind == "lease")
      return(Lease(vector));
   if(kind == "verify" || kind == "ed25519")
      return(Verify(vector));
   CMarqueFields fields;
   if(kind == "json")
      return(fields.Read(vector.Get("text")) ? fields.Json() : "unreadable");
   if(kind == "query")
      return(fields.Read(vector.Get("text")) ? fields.Query() : "unreadable");
   return("unknown");
}

void OnStart()
{
   uchar  bytes[];
   int    at = 0;
   string line = "";
   if(!MqReadFile("vectors.jsonl", 0, bytes))
      return;
   while(MqLine(bytes, at, line))
   {
      CMarqueFields vector;
      if(!vector.Read(line))
         Print("vector unreadable ", line);
      else
         Print("vector ", vector.Get("name"), " ", Compute(vector));
   }
}
