//+------------------------------------------------------------------+
//| Marque sample EA for MetaTrader 4.                                |
//+------------------------------------------------------------------+
#property strict
#property copyright "Marque"
#property version   "1.20"
#property description "Shows how an EA checks its licence. Allow WebRequest to your portal's address first:"
#property description "Tools > Options > Expert Advisors > Allow WebRequest for listed URL."

#include <Marque/Sample.mqh>

input string InpPortal    = "https://portal.example.com"; // Your portal's address
input string InpKey       = "";                           // Licence key, from the portal
input bool   InpRelease   = false;                        // Free the seat when the EA is removed
input int    InpTimeoutMs = 3000;                         // Longest wait for the server, ms

#define SAMPLE_MAGIC 20261

int OnInit()
{
   return(SampleStart(InpPortal, InpKey, InpTimeoutMs));
}

void OnDeinit(const int reason)
{
   SampleEnd(reason, InpRelease);
}

void OnTimer()
{
   licence.OnTimer();
}

void OnTick()
{
   SampleTick(SymbolInfoDouble(_Symbol, SYMBOL_BID));
}

// Selects this EA's position, as OrderSelect does.
bool SampleIsOpen()
{
   for(int i = OrdersTotal() - 1; i >= 0; i--)
      if(OrderSelect(i, SELECT_BY_POS, MODE_TRADES) && OrderSymbol() == _Symbol && OrderMagicNumber() == SAMPLE_MAGIC)
         return(true);
   return(false);
}

bool SampleBuy(const double lots)
{
   double ask = SymbolInfoDouble(_Symbol, SYMBOL_ASK);
   int ticket = OrderSend(_Symbol, OP_BUY, lots, ask, 10, 0.0, 0.0, "Marque sample", SAMPLE_MAGIC);
   if(ticket < 0)
      Print("The order was not carried out, error ", IntegerToString(GetLastError()), ".");
   return(ticket >= 0);
}

bool SampleClose()
{
   if(!SampleIsOpen())
      return(false);
   bool closed = OrderClose(OrderTicket(), OrderLots(), SymbolInfoDouble(_Symbol, SYMBOL_BID), 10);
   if(!closed)
      Print("The position was not closed, error ", IntegerToString(GetLastError()), ".");
   return(closed);
}
