//+------------------------------------------------------------------+
//| Whose turn it is: the charts of one terminal that run one EA on   |
//| one account share what is kept. Owns: the lock among them.        |
//| Refuses to hold anybody up: one who died with it loses it, and    |
//| who waited for long goes on without.                              |
//+------------------------------------------------------------------+
#ifndef MARQUE_TURN_MQH
#define MARQUE_TURN_MQH

#include "Bytes.mqh"

// Reading and writing two small files takes milliseconds.
#define MARQUE_TURN_MS_MAX 5000
#define MARQUE_TURN_TRIES 20
#define MARQUE_TURN_WAIT_MS 10

class CMarqueTurn
{
private:
   string m_name;
   double m_held;   // What was put into the variable; 0 while it is not held.

public:
        CMarqueTurn() { m_name = ""; m_held = 0.0; }
   void Set(const string what);
   void Take();
   void Give();
};

// Global variables of the terminal have names of at most 63 characters.
void CMarqueTurn::Set(const string what)
{
   uchar bytes[], hash[];
   MqBytes("marque-turn-1\n" + what, bytes);
   m_name = "";
   if(!MqSha256(bytes, hash))
      return;
   ArrayResize(hash, 16);
   m_name = "Marque-" + MqHex(hash);
}

// The variable holds the running time at which it was taken, which all charts read from one clock; 0 when it is free.
void CMarqueTurn::Take()
{
   m_held = 0.0;
   if(StringLen(m_name) == 0 || !GlobalVariableTemp(m_name))
      return;
   for(int i = 0; i < MARQUE_TURN_TRIES; i++)
   {
      double now = 1.0 + (double)GetTickCount(), held = GlobalVariableGet(m_name);
      // One that was taken later than now is from before that clock began anew.
      bool   free = held < 1.0 || held > now || now - held > MARQUE_TURN_MS_MAX;
      if(free && GlobalVariableSetOnCondition(m_name, now, held))
      {
         m_held = now;
         return;
      }
      Sleep(MARQUE_TURN_WAIT_MS);
   }
}

void CMarqueTurn::Give()
{
   if(m_held > 0.0)
      GlobalVariableSetOnCondition(m_name, 0.0, m_held);
   m_held = 0.0;
}

#endif
