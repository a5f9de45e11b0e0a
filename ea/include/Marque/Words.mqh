//+------------------------------------------------------------------+
//| What a trader reads: what happened, why, and what to do next.     |
//| Owns: a sentence for each validity code and each fault.           |
//| The codes are those of protocol.md; a test compares the two.      |
//+------------------------------------------------------------------+
#ifndef MARQUE_WORDS_MQH
#define MARQUE_WORDS_MQH

#include "Json.mqh"

string MqMoment(const long seconds)
{
   return(TimeToString((datetime)seconds, TIME_DATE | TIME_MINUTES) + " UTC");
}

// `2 days`, `3 hours`, `5 minutes`, `30 seconds`: rounded down, and never nothing.
string MqDuration(const long seconds)
{
   long   count = seconds;
   string unit  = "second";
   if(seconds >= 172800)
   {
      count = seconds / 86400;
      unit  = "day";
   }
   else if(seconds >= 7200)
   {
      count = seconds / 3600;
      unit  = "hour";
   }
   else if(seconds >= 120)
   {
      count = seconds / 60;
      unit  = "minute";
   }
   return(IntegerToString(count) + " " + unit + (count == 1 ? "" : "s"));
}

// Which of the bound things differ, in words: the answer names them as `account`, `machine`, `server`.
string MqMismatch(const string names)
{
   string words = "";
   if(StringFind(names, "account") >= 0)
      words += "another trading account";
   if(StringFind(names, "server") >= 0)
      words += (StringLen(words) > 0 ? ", " : "") + "another broker server";
   if(StringFind(names, "machine") >= 0)
      words += (StringLen(words) > 0 ? ", " : "") + "another computer";
   return(StringLen(words) > 0 ? words : "something else");
}

// Why the licence does not let the EA trade, by the code of the answer.
string MqRefusal(const CMarqueFields &answer)
{
   string code = answer.Get("code");
   if(code == "NOT_FOUND")
      return("The site does not know this licence key. Check that it belongs to this broker's portal, then copy it again.");
   if(code == "KEY_REPLACED")
      return("This licence key was replaced by a new one. Copy the new key from your portal into the EA's inputs.");
   if(code == "PRODUCT_MISMATCH")
      return("This licence key is for another EA. Use the key that your portal shows beside this one.");
   if(code == "PLAN_REQUIRED")
      return("Your plan does not include this EA any more. Choose a plan that does in your portal, page 'Plans'.");
   if(code == "SUSPENDED")
      return("This licence is suspended. Ask your broker's support why; the EA goes on by itself once it is reinstated.");
   if(code == "REVOKED")
      return("This licence was revoked for good. Ask your broker's support if you think that is a mistake.");
   if(code == "EXPIRED")
      return("This licence ended on " + MqMoment(answer.Number("expires_at", 0)) + ". Renew it in your portal; the EA goes on"
             + " by itself.");
   if(code == "VERSION_TOO_OLD")
      return("This version of the EA is too old: at least " + answer.Get("minimum_version") + " is needed. Download it from your"
             + " portal and start it instead of this one.");
   if(code == "VERSION_YANKED")
      return("This version of the EA was withdrawn. "
             + (answer.Has("latest_version") ? "Download version " + answer.Get("latest_version") + " from your portal."
                                             : "There is no other yet: ask your broker's support when there will be."));
   if(code == "DEMO_ONLY")
      return("This licence is for demo accounts. Attach the EA to a demo account, or choose another plan in your portal.");
   if(code == "LIVE_ONLY")
      return("This licence is for live accounts. Attach the EA to a live account.");
   if(code == "NOT_ACTIVATED")
      return("This computer and account are not activated yet. The EA asks for an activation by itself.");
   if(code == "BINDING_MISMATCH")
      return("This activation belongs to " + MqMismatch(answer.Get("mismatched")) + ". Release it in your portal, page 'Expert"
             + " Advisors', then start the EA again.");
   if(code == "RELEASED")
      return("This activation was released. To use the EA here again, remove it from the chart and attach it anew.");
   if(code == "HEARTBEAT_MISSED")
      return("The EA was not heard from in time, and its seat became free. It asks for a seat again by itself.");
   if(code == "TOO_MANY_MACHINES")
      return("All computers of this licence are in use (" + IntegerToString(answer.Number("machines_max", 0)) + "). Release one in"
             + " your portal, page 'Expert Advisors'; the EA goes on by itself.");
   if(code == "TOO_MANY_ACCOUNTS")
      return("All trading accounts of this licence are in use (" + IntegerToString(answer.Number("accounts_max", 0))
             + "). Release one in your portal, page 'Expert Advisors'; the EA goes on by itself.");
   if(code == "TRANSFER_COOLDOWN")
      return("This licence was moved a short while ago and can be moved again at " + MqMoment(answer.Number("retry_at", 0))
             + ". Until then use it where it was.");
   // A code younger than this library: the server's own words are the best there are.
   string message = answer.Get("message");
   return(StringLen(message) > 0 ? message : "The licence was refused (" + code + "). Ask your broker's support.");
}

// What a trader should know of a licence that is valid, by the notices of the answer.
string MqNotices(const CMarqueFields &answer)
{
   string names = answer.Get("notice"), words = "";
   if(StringFind(names, "EXPIRED_GRACE") >= 0)
      words += " It has ended and works a little longer: renew it in your portal.";
   else if(StringFind(names, "EXPIRES_SOON") >= 0)
      words += " It ends on " + MqMoment(answer.Number("expires_at", 0)) + ": renew it in your portal.";
   if(StringFind(names, "OVERAGE") >= 0)
      words += " More computers or accounts use it than it is for: release one in your portal, or choose a larger plan.";
   if(StringFind(names, "UPDATE_AVAILABLE") >= 0)
      words += " Version " + answer.Get("latest_version") + " can be downloaded from your portal.";
   return(words);
}

string MqNotListed(const string address)
{
   return("MetaTrader may not call " + address + " yet. Open Tools > Options > Expert Advisors, tick 'Allow WebRequest for"
          + " listed URL', add " + address + " and press OK. The EA goes on by itself.");
}

string MqUnheard(const string cause)
{
   return("No usable answer came from the licence server: " + cause + ".");
}

// An answer that none of the keys in the EA's source has signed: the portal is another's, or the EA is older than its keys.
string MqNotVendors()
{
   return("its answer is signed with no key that this EA knows, and was ignored; check that this is the portal the EA came from, and"
          + " download the EA's newest version there");
}

// Why nothing came back, by the number that the terminal gives.
string MqNoAnswer(const int error)
{
   if(error == 5201 || error == 1001)
      return("there is no connection to it, check the internet connection");
   if(error == 5202 || error == 1002 || error == 1003)
      return("it did not answer in time");
   return("no answer came, error " + IntegerToString(error));
}

// What was kept offline was given for something else: `what` differs.
string MqElsewhere(const string what)
{
   return("The licence was last confirmed for another " + what + ". The licence server must answer once before the EA trades with"
          + " this one.");
}

string MqSetBack(const long seconds)
{
   return("The computer's clock is " + MqDuration(seconds) + " behind what it was. Set it right (Windows: Settings > Time), or let"
          + " the EA reach the licence server.");
}

#endif
