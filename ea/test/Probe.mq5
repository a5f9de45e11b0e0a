//+------------------------------------------------------------------+
//| The library on its own, for tests: a custom event of the chart    |
//| asks it something, and the answer goes to the journal.            |
//+------------------------------------------------------------------+
#property strict

#include <Marque/Licence.mqh>

input string InpPortal    = "";
input string InpKey       = "";
input string InpProduct   = "marque-sample";
input string InpVersion   = "1.20";
input long   InpSchema    = 1;
input int    InpTimeoutMs = 1000;
input bool   InpTimer     = true;

CMarqueLicence licence;

int OnInit()
{
   licence.Start(InpPortal, InpProduct, InpVersion, InpSchema, InpKey, InpTimeoutMs);
   if(InpTimer)
      EventSetTimer(1);
   return(INIT_SUCCEEDED);
}

void OnDeinit(const int reason)
{
   EventKillTimer();
   licence.Stop();
}

void OnTick()
{
   licence.OnTick();
}

void OnTimer()
{
   licence.OnTimer();
}

void OnChartEvent(const int id, const long &lparam, const double &dparam, const string &sparam)
{
   if(sparam == "status")
      Print("status ", IntegerToString(licence.State()), " ", licence.Allowed() ? "allowed" : "stopped");
   else if(MqStarts(sparam, "order "))
      licence.CountOrder(StringToDouble(MqRest(sparam, 6)) + 0.0 * dparam);
   else if(MqStarts(sparam, "setting "))
      Print("setting ", licence.Setting(MqRest(sparam, 8), "none"));
   else if(sparam == "version")
      Print("version ", IntegerToString(licence.SettingsVersion()));
   else if(sparam == "release")
      Print("release ", licence.Release() ? "done" : "not done");
   else
      Print("unknown event ", IntegerToString(id), " ", IntegerToString(lparam));
}
