//+------------------------------------------------------------------+
//| The settings that the trader made in the portal.                  |
//| Owns: their version, reading them as texts, numbers and flags.    |
//| Refuses to know: what they mean; the portal has checked them.     |
//+------------------------------------------------------------------+
#ifndef MARQUE_SETTINGS_MQH
#define MARQUE_SETTINGS_MQH

#include "Json.mqh"

#define MARQUE_SETTING "set."

class CMarqueSettings
{
private:
   long          m_version;
   long          m_wanted;
   CMarqueFields m_values;

public:
          CMarqueSettings() { Reset(); }
   void   Reset() { m_version = 0; m_wanted = 0; m_values.Clear(); }
   long   Version() const { return(m_version); }
   // Whether the portal has newer ones than were received.
   bool   Stale() const { return(m_wanted != m_version); }
   // Takes what rides on an answer; true when they are new.
   bool   Take(const CMarqueFields &answer);
   string Text(const string name, const string otherwise) const;
   double Number(const string name, const double otherwise) const;
   bool   Flag(const string name, const bool otherwise) const;
   void   Save(CMarqueFields &state) const;
   void   Load(const CMarqueFields &state);

private:
   void   Replace(const CMarqueFields &from);
};

void CMarqueSettings::Replace(const CMarqueFields &from)
{
   m_values.Clear();
   int count = from.Count();
   for(int i = 0; i < count; i++)
      if(MqStarts(from.NameAt(i), MARQUE_SETTING))
         m_values.AddText(from.NameAt(i), from.ValueAt(i));
}

bool CMarqueSettings::Take(const CMarqueFields &answer)
{
   if(!answer.Has("config_version"))
      return(false);
   m_wanted = answer.Number("config_version", 0);
   if(!Stale() || !answer.IsTrue("config_included"))
      return(false);
   Replace(answer);
   m_version = m_wanted;
   return(true);
}

string CMarqueSettings::Text(const string name, const string otherwise) const
{
   return(m_values.Has(MARQUE_SETTING + name) ? m_values.Get(MARQUE_SETTING + name) : otherwise);
}

double CMarqueSettings::Number(const string name, const double otherwise) const
{
   return(m_values.Has(MARQUE_SETTING + name) ? StringToDouble(m_values.Get(MARQUE_SETTING + name)) : otherwise);
}

bool CMarqueSettings::Flag(const string name, const bool otherwise) const
{
   return(m_values.Has(MARQUE_SETTING + name) ? m_values.Get(MARQUE_SETTING + name) == "true" : otherwise);
}

void CMarqueSettings::Save(CMarqueFields &state) const
{
   state.AddNumber("config_version", m_version);
   int count = m_values.Count();
   for(int i = 0; i < count; i++)
      state.AddText(m_values.NameAt(i), m_values.ValueAt(i));
}

void CMarqueSettings::Load(const CMarqueFields &state)
{
   m_version = state.Number("config_version", 0);
   m_wanted  = m_version;
   Replace(state);
}

#endif
