//+------------------------------------------------------------------+
//| A small EA that shows where the licence belongs: it buys when a   |
//| fast average of the last prices is above a slow one, and closes   |
//| when it falls below. Not a strategy to earn money with.           |
//| The two files that MetaTrader compiles hold the inputs and how    |
//| each platform trades.                                             |
//+------------------------------------------------------------------+
#ifndef MARQUE_SAMPLE_MQH
#define MARQUE_SAMPLE_MQH

#include "Licence.mqh"

#define SAMPLE_PRODUCT "marque-sample"
#define SAMPLE_VERSION "1.20"
// Settings of this form are understood: `lots`, `fast`, `slow`, `enabled`.
#define SAMPLE_SCHEMA 1
#define SAMPLE_PRICES_MAX 200

// What differs between the platforms: each of the two EA files has these three.
bool SampleBuy(const double lots);
bool SampleClose();
bool SampleIsOpen();

CMarqueLicence licence;
double         sample_prices[];

int SampleStart(const string address, const string key, const int timeout_ms)
{
   ArrayResize(sample_prices, 0);
   // A fault of the inputs is on the chart and in the journal; the EA stays there, so that it can be read.
   licence.Start(address, SAMPLE_PRODUCT, SAMPLE_VERSION, SAMPLE_SCHEMA, key, timeout_ms);
   EventSetTimer(1);
   return(INIT_SUCCEEDED);
}

void SampleEnd(const int reason, const bool release)
{
   EventKillTimer();
   if(release && reason == REASON_REMOVE)
      licence.Release();
   licence.Stop();
}

double SampleAverage(const int count)
{
   double sum = 0.0;
   int size = ArraySize(sample_prices);
   for(int i = size - count; i < size; i++)
      sum += sample_prices[i];
   return(sum / count);
}

void SampleTick(const double bid)
{
   licence.OnTick();
   int size = ArraySize(sample_prices);
   if(size < SAMPLE_PRICES_MAX)
      ArrayResize(sample_prices, size + 1);
   else
      for(int i = 1; i < size; i++)
         sample_prices[i - 1] = sample_prices[i];
   sample_prices[ArraySize(sample_prices) - 1] = bid;
   int fast = (int)licence.SettingNumber("fast", 5.0), slow = (int)licence.SettingNumber("slow", 20.0);
   if(fast < 1 || slow <= fast || slow > ArraySize(sample_prices))
      return;
   bool above = SampleAverage(fast) > SampleAverage(slow);
   // Closing needs nobody's leave: a position is never left alone because of a licence.
   if(!above && SampleIsOpen())
      SampleClose();
   if(!above || SampleIsOpen() || !licence.Allowed() || !licence.SettingFlag("enabled", true))
      return;
   double lots = licence.SettingNumber("lots", 0.01);
   if(SampleBuy(lots))
      licence.CountOrder(lots);
}

#endif
