//+------------------------------------------------------------------+
//| Marque sample EA for MetaTrader 5.                                |
//+------------------------------------------------------------------+
#property copyright "Marque"
#property version   "1.20"
#property description "Shows how an EA checks its licence. Allow WebRequest to your portal's address first:"
#property description "Tools > Options > Expert Advisors > Allow WebRequest for listed URL."

#include <Marque/Sample.mqh>

input group "Licence"
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

// Selects this EA's position, as PositionSelect does.
bool SampleIsOpen()
{
   for(int i = PositionsTotal() - 1; i >= 0; i--)
      if(PositionGetTicket(i) > 0 && PositionGetString(POSITION_SYMBOL) == _Symbol
         && PositionGetInteger(POSITION_MAGIC) == SAMPLE_MAGIC)
         return(true);
   return(false);
}

bool SampleDeal(const ENUM_ORDER_TYPE type, const double lots, const double price, const ulong position)
{
   MqlTradeRequest request;
   MqlTradeResult  result;
   ZeroMemory(request);
   ZeroMemory(result);
   request.action    = TRADE_ACTION_DEAL;
   request.symbol    = _Symbol;
   request.volume    = lots;
   request.type      = type;
   request.price     = price;
   request.deviation = 10;
   request.position  = position;
   request.magic     = SAMPLE_MAGIC;
   bool at_once      = (SymbolInfoInteger(_Symbol, SYMBOL_FILLING_MODE) & SYMBOL_FILLING_FOK) != 0;
   request.type_filling = at_once ? ORDER_FILLING_FOK : ORDER_FILLING_IOC;
   if(OrderSend(request, result) && result.retcode == TRADE_RETCODE_DONE)
      return(true);
   Print("The order was not carried out, retcode ", IntegerToString(result.retcode), ".");
   return(false);
}

bool SampleBuy(const double lots)
{
   return(SampleDeal(ORDER_TYPE_BUY, lots, SymbolInfoDouble(_Symbol, SYMBOL_ASK), 0));
}

bool SampleClose()
{
   if(!SampleIsOpen())
      return(false);
   ulong ticket = (ulong)PositionGetInteger(POSITION_TICKET);
   return(SampleDeal(ORDER_TYPE_SELL, PositionGetDouble(POSITION_VOLUME), SymbolInfoDouble(_Symbol, SYMBOL_BID), ticket));
}
