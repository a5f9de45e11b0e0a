//+------------------------------------------------------------------+
//| What the EA did since it was activated, in totals that only grow. |
//| A report that is lost costs nothing: the next one contains it. A  |
//| report that comes twice counts once: its sequence was seen.       |
//+------------------------------------------------------------------+
#ifndef MARQUE_USAGE_MQH
#define MARQUE_USAGE_MQH

#include "Clock.mqh"
#include "Json.mqh"

class CMarqueUsage
{
private:
   long m_sequence;
   long m_orders;
   long m_centilots;
   long m_runtime_s;
   bool m_unsent;
   // Whether the totals are the activation's: until then they count from the start of the EA.
   bool m_joined;

   static long Centilots(const string lots);

public:
        CMarqueUsage() { Reset(); }
   void Reset();
   void Order(const double lots);
   void Ran(const long seconds) { m_runtime_s += seconds; }
   bool Unsent() const { return(m_unsent); }
   // Takes the next sequence and adds the report.
   void Report(CMarqueFields &request);
   void Reported() { m_unsent = false; }
   // What the server has for the activation: the totals go on from there.
   void Join(const CMarqueFields &answer);
   void Save(CMarqueFields &state) const;
   void Load(const CMarqueFields &state);
};

void CMarqueUsage::Reset()
{
   m_sequence  = 0;
   m_orders    = 0;
   m_centilots = 0;
   m_runtime_s = 0;
   m_unsent    = false;
   m_joined    = false;
}

void CMarqueUsage::Order(const double lots)
{
   m_orders++;
   m_centilots += (long)MathRound(lots * 100.0);
   m_unsent = true;
}

void CMarqueUsage::Report(CMarqueFields &request)
{
   m_sequence++;
   request.AddNumber("sequence", m_sequence);
   request.AddNumber("orders", m_orders);
   string cents = IntegerToString(m_centilots % 100);
   request.AddText("lots", IntegerToString(m_centilots / 100) + "." + (StringLen(cents) < 2 ? "0" : "") + cents);
   request.AddNumber("runtime_s", m_runtime_s);
}

// `12`, `12.3` and `12.34` as hundredths; what is finer is cut off.
long CMarqueUsage::Centilots(const string lots)
{
   int point = StringFind(lots, ".");
   if(point < 0)
      return(StringToInteger(lots) * 100);
   return(StringToInteger(MqPart(lots, 0, point)) * 100 + StringToInteger(MqPart(MqRest(lots, point + 1) + "00", 0, 2)));
}

void CMarqueUsage::Join(const CMarqueFields &answer)
{
   long orders = answer.Number("orders", 0), cents = Centilots(answer.Get("lots")), runtime = answer.Number("runtime_s", 0);
   // A total that was kept here already contains what the server has of it.
   m_orders    = m_joined ? MqLater(m_orders, orders) : m_orders + orders;
   m_centilots = m_joined ? MqLater(m_centilots, cents) : m_centilots + cents;
   m_runtime_s = m_joined ? MqLater(m_runtime_s, runtime) : m_runtime_s + runtime;
   m_sequence  = MqLater(m_sequence, answer.Number("sequence", 0));
   m_joined    = true;
}

void CMarqueUsage::Save(CMarqueFields &state) const
{
   state.AddNumber("sequence", m_sequence);
   state.AddNumber("orders", m_orders);
   state.AddNumber("centilots", m_centilots);
   state.AddNumber("runtime_s", m_runtime_s);
   state.AddFlag("unsent", m_unsent);
   state.AddFlag("joined", m_joined);
}

void CMarqueUsage::Load(const CMarqueFields &state)
{
   m_sequence  = state.Number("sequence", 0);
   m_orders    = state.Number("orders", 0);
   m_centilots = state.Number("centilots", 0);
   m_runtime_s = state.Number("runtime_s", 0);
   m_unsent    = state.IsTrue("unsent");
   m_joined    = state.IsTrue("joined");
}

#endif
