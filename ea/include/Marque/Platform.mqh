//+------------------------------------------------------------------+
//| Everything in which MetaTrader 4 and 5 differ for this library.   |
//| Refuses to know: licences. All other files are the same for both. |
//+------------------------------------------------------------------+
#ifndef MARQUE_PLATFORM_MQH
#define MARQUE_PLATFORM_MQH

#ifdef __MQL5__
   #define MARQUE_PLATFORM "mt5"
   #define MARQUE_FILES "MQL5\\Files\\Marque"
   // What WebRequest leaves in GetLastError when the address is not on the terminal's list.
   #define MARQUE_ERROR_NOT_LISTED 4014
#else
   #define MARQUE_PLATFORM "mt4"
   #define MARQUE_FILES "MQL4\\Files\\Marque"
   #define MARQUE_ERROR_NOT_LISTED 4060
#endif

// Milliseconds that only go forward, whatever is done to the clock of the computer.
ulong MqTicks()
{
#ifdef __MQL5__
   return(GetTickCount64());
#else
   // MetaTrader 4 counts to 49.7 days in 32 bits: each turn is added up.
   static uint  last  = 0;
   static ulong turns = 0;
   uint ticks = GetTickCount();
   if(ticks < last)
      turns += 4294967296;
   last = ticks;
   return(turns + ticks);
#endif
}

#endif
