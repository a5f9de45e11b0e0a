//+------------------------------------------------------------------+
//| What time it is, when nobody can be asked and the clock of the    |
//| computer can be set by anyone. All times are seconds since 1970   |
//| in UTC. The latest of four witnesses counts: the server's last    |
//| time plus the terminal's own running time; the computer's clock;  |
//| the broker's clock; and the latest time ever seen.                |
//+------------------------------------------------------------------+
#ifndef MARQUE_CLOCK_MQH
#define MARQUE_CLOCK_MQH

#include "Json.mqh"
#include "Platform.mqh"

// The computer's clock may be this much behind what was seen before it counts as set back.
#define MARQUE_CLOCK_TOLERANCE_S 300
// A broker's clock changes by an hour in spring.
#define MARQUE_BROKER_TOLERANCE_S 3600
// A quote this old says nothing about the time.
#define MARQUE_QUOTE_FRESH_MS 10000
// No zone is further from UTC.
#define MARQUE_ZONE_MAX_S 50400

// MathMax is for fractions.
long MqLater(const long a, const long b)
{
   return(a > b ? a : b);
}

class CMarqueClock
{
private:
   bool  m_answered;      // The server told the time since the EA was started.
   long  m_server;        // When it did, by its clock,
   ulong m_server_ticks;  // and by the terminal's running time.
   bool  m_has_skew;
   long  m_skew;          // The computer's clock minus the server's.
   bool  m_has_broker;
   long  m_broker;        // The broker's clock minus the server's.
   ulong m_quote_ticks;   // When the last quote came.
   bool  m_quoted;
   long  m_latest;        // The latest time ever seen.

   long Computer() const { return((long)TimeGMT() - m_skew); }

public:
        CMarqueClock() { Reset(); }
   void Reset();
   void OnQuote() { m_quoted = true; m_quote_ticks = MqTicks(); }
   // The server said what time it is.
   void Told(const long server_time);
   // Seconds since 1970; never goes back except when the server says so.
   long Now();
   // Seconds by which the computer's clock is behind what was seen before; 0 within the tolerance.
   long SetBackBy() const;
   bool Answered() const { return(m_answered); }
   void Save(CMarqueFields &state);
   void Load(const CMarqueFields &state);
   // What another chart of the terminal found out.
   void Share(const CMarqueFields &state);
};

void CMarqueClock::Reset()
{
   m_answered     = false;
   m_server       = 0;
   m_server_ticks = 0;
   m_has_skew     = false;
   m_skew         = 0;
   m_has_broker   = false;
   m_broker       = 0;
   m_quote_ticks  = 0;
   m_quoted       = false;
   m_latest       = 0;
}

void CMarqueClock::Told(const long server_time)
{
   ulong ticks = MqTicks();
   m_answered     = true;
   m_server       = server_time;
   m_server_ticks = ticks;
   m_has_skew     = true;
   m_skew         = (long)TimeGMT() - server_time;
   // Whatever was seen before, a clock that ran ahead by mistake included, is overruled.
   m_latest       = server_time;
   if(m_quoted && ticks - m_quote_ticks <= MARQUE_QUOTE_FRESH_MS && TimeCurrent() > 0)
   {
      long broker  = (long)TimeCurrent() - server_time;
      m_has_broker = broker >= -MARQUE_ZONE_MAX_S && broker <= MARQUE_ZONE_MAX_S;
      m_broker     = broker;
   }
}

long CMarqueClock::Now()
{
   long now = m_latest;
   if(m_answered)
      now = MqLater(now, m_server + (long)((MqTicks() - m_server_ticks) / 1000));
   if(m_has_skew)
      now = MqLater(now, Computer());
   // A broker whose difference is not known yet is ahead by the largest zone at most.
   if(TimeCurrent() > 0)
      now = MqLater(now, (long)TimeCurrent() - (m_has_broker ? m_broker + MARQUE_BROKER_TOLERANCE_S : MARQUE_ZONE_MAX_S));
   m_latest = now;
   return(now);
}

long CMarqueClock::SetBackBy() const
{
   if(!m_has_skew)
      return(0);
   long behind = m_latest - Computer();
   return(behind > MARQUE_CLOCK_TOLERANCE_S ? behind : 0);
}

void CMarqueClock::Save(CMarqueFields &state)
{
   state.AddNumber("latest", Now());
   if(m_has_skew)
      state.AddNumber("skew", m_skew);
   if(m_has_broker)
      state.AddNumber("broker", m_broker);
}

void CMarqueClock::Load(const CMarqueFields &state)
{
   m_latest     = state.Number("latest", 0);
   m_has_skew   = state.Has("skew");
   m_skew       = state.Number("skew", 0);
   m_has_broker = state.Has("broker");
   m_broker     = state.Number("broker", 0);
}

void CMarqueClock::Share(const CMarqueFields &state)
{
   if(m_has_broker || !state.Has("broker"))
      return;
   m_has_broker = true;
   m_broker     = state.Number("broker", 0);
}

#endif
