//+------------------------------------------------------------------+
//| What the EA did since it was activated, in totals that only grow. |
//| A report that is lost costs nothing: the next one contains it. A  |
//| report that comes twice counts once: its sequence was seen.       |
//| Charts of one terminal that share a seat share its totals: each   |
//| adds what it did itself to what is kept.                          |
//+------------------------------------------------------------------+
#ifndef MARQUE_USAGE_MQH
#define MARQUE_USAGE_MQH

#include "Clock.mqh"
#include "Json.mqh"

struct MarqueTotals
{
   long orders;
   long centilots;
   long runtime_s;
};

void MqZero(MarqueTotals &totals)
{
   totals.orders    = 0;
   totals.centilots = 0;
   totals.runtime_s = 0;
}

void MqAdd(MarqueTotals &totals, const MarqueTotals &more, const long times)
{
   totals.orders    += times * more.orders;
   totals.centilots += times * more.centilots;
   totals.runtime_s += times * more.runtime_s;
}

void MqAtLeast(MarqueTotals &totals, const MarqueTotals &other)
{
   totals.orders    = MqLater(totals.orders, other.orders);
   totals.centilots = MqLater(totals.centilots, other.centilots);
   totals.runtime_s = MqLater(totals.runtime_s, other.runtime_s);
}

class CMarqueUsage
{
private:
   long         m_sequence;
   MarqueTotals m_kept;      // Of all charts, as far as it was kept.
   MarqueTotals m_own;       // What this one did since.
   MarqueTotals m_known;     // What the server was last known to have of m_kept.
   bool         m_unsent;
   // Whether the totals are the activation's: until then they count from the start of the EA.
   bool         m_joined;

   static long Centilots(const string lots);
   void Read(const CMarqueFields &state, MarqueTotals &totals) const;
   void Fold();

public:
        CMarqueUsage() { Reset(); }
   void Reset();
   void Order(const double lots);
   void Ran(const long seconds) { m_own.runtime_s += seconds; }
   bool Unsent() const { return(m_unsent); }
   // Takes the next sequence and adds the report.
   void Report(CMarqueFields &request);
   void Reported() { m_unsent = false; }
   // What the server has for the activation: the totals go on from there.
   void Join(const CMarqueFields &answer);
   // What the server has of a report. It may have more than this terminal knows of, when older files were put back.
   void Heard(const CMarqueFields &answer);
   void Save(CMarqueFields &state);
   void Load(const CMarqueFields &state);
   // What another chart kept meanwhile of the same seat; of another seat it took, with `replace`.
   void Share(const CMarqueFields &state, const bool replace);
};

void CMarqueUsage::Reset()
{
   m_sequence = 0;
   m_unsent   = false;
   m_joined   = false;
   MqZero(m_kept);
   MqZero(m_own);
   MqZero(m_known);
}

void CMarqueUsage::Order(const double lots)
{
   m_own.orders++;
   m_own.centilots += (long)MathRound(lots * 100.0);
   m_unsent = true;
}

void CMarqueUsage::Fold()
{
   MqAdd(m_kept, m_own, 1);
   MqZero(m_own);
}

void CMarqueUsage::Report(CMarqueFields &request)
{
   Fold();
   m_sequence++;
   request.AddNumber("sequence", m_sequence);
   request.AddNumber("orders", m_kept.orders);
   string cents = IntegerToString(m_kept.centilots % 100);
   request.AddText("lots", IntegerToString(m_kept.centilots / 100) + "." + (StringLen(cents) < 2 ? "0" : "") + cents);
   request.AddNumber("runtime_s", m_kept.runtime_s);
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
   MarqueTotals server;
   server.orders    = answer.Number("orders", 0);
   server.centilots = Centilots(answer.Get("lots"));
   server.runtime_s = answer.Number("runtime_s", 0);
   long sequence    = answer.Number("sequence", 0);
   // A total that was kept here already contains what the server has of it, unless it is older than that.
   if(!m_joined || sequence > m_sequence)
   {
      MqAdd(m_kept, m_known, -1);
      MqAdd(m_kept, server, 1);
   }
   else
      MqAtLeast(m_kept, server);
   m_known    = server;
   m_sequence = MqLater(m_sequence, sequence);
   m_joined   = true;
}

void CMarqueUsage::Heard(const CMarqueFields &answer)
{
   if(m_joined && answer.Number("sequence", 0) >= m_sequence)
      Join(answer);
}

void CMarqueUsage::Save(CMarqueFields &state)
{
   Fold();
   state.AddNumber("sequence", m_sequence);
   state.AddNumber("orders", m_kept.orders);
   state.AddNumber("centilots", m_kept.centilots);
   state.AddNumber("runtime_s", m_kept.runtime_s);
   state.AddFlag("unsent", m_unsent);
   state.AddFlag("joined", m_joined);
}

void CMarqueUsage::Read(const CMarqueFields &state, MarqueTotals &totals) const
{
   totals.orders    = state.Number("orders", 0);
   totals.centilots = state.Number("centilots", 0);
   totals.runtime_s = state.Number("runtime_s", 0);
}

void CMarqueUsage::Load(const CMarqueFields &state)
{
   m_sequence = state.Number("sequence", 0);
   m_unsent   = state.IsTrue("unsent");
   m_joined   = state.IsTrue("joined");
   Read(state, m_kept);
   if(m_joined)
      m_known = m_kept;
}

void CMarqueUsage::Share(const CMarqueFields &state, const bool replace)
{
   MarqueTotals there;
   bool joined = state.IsTrue("joined");
   Read(state, there);
   // What was kept before the seat's totals were known is contained in those that another chart kept after it knew them.
   if(replace || (joined && !m_joined))
   {
      m_kept     = there;
      m_sequence = state.Number("sequence", 0);
      m_known    = there;
   }
   else if(joined || !m_joined)
   {
      MqAtLeast(m_kept, there);
      m_sequence = MqLater(m_sequence, state.Number("sequence", 0));
   }
   m_joined = m_joined || joined;
   m_unsent = m_unsent || state.IsTrue("unsent");
}

#endif
