//+------------------------------------------------------------------+
//| CMarqueLicence: whether the EA may trade, and what is said of it. |
//| Included by Licence.mqh only.                                     |
//+------------------------------------------------------------------+
#ifndef MARQUE_LICENCE_STATE_MQH
#define MARQUE_LICENCE_STATE_MQH

// Who forgets the timer, or holds it up, gets no licence without an end by that: the time is looked at here too, and nobody asked.
bool CMarqueLicence::Allowed()
{
   if(m_state != MARQUE_TESTER && Opens() && MqTicks() - m_judged > MARQUE_JUDGED_MS_MAX)
      Judge();
   return(Opens());
}

bool CMarqueLicence::Opens() const
{
   return(m_state == MARQUE_VALID || m_state == MARQUE_OFFLINE || m_state == MARQUE_GRACE || m_state == MARQUE_TESTER);
}

// Decides the state from what is known, by the time that can be believed.
void CMarqueLicence::Judge()
{
   m_judged = MqTicks();
   long now = m_clock.Now();
   ENUM_MARQUE_STATE state = MARQUE_STARTING;
   if(m_refused)
      state = MARQUE_REFUSED;
   else if(!m_has_lease)
      state = StringLen(m_trouble) > 0 ? MARQUE_SETUP : MARQUE_STARTING;
   else if(!m_clock.Answered() && m_clock.SetBackBy() > 0)
      state = MARQUE_CLOCK;
   else if(!m_clock.Answered() && StringLen(Elsewhere()) > 0)
      state = MARQUE_SETUP;
   else if(now < m_lease_until)
      state = StringLen(m_trouble) > 0 || !m_clock.Answered() ? MARQUE_OFFLINE : MARQUE_VALID;
   else
      state = now < m_grace_until ? MARQUE_GRACE : MARQUE_ENDED;
   Tell(state, Standing(state));
}

// What differs from when the lease was given; empty when nothing does. The terminal may learn the account's kind only after the
// EA was started, so that it is asked each time.
string CMarqueLicence::Elsewhere() const
{
   if(m_lease_for.kind != MqAccountKind())
      return("kind of account");
   if(m_lease_for.server != MqBrokerServer())
      return("broker server");
   return(m_lease_for.version != m_version ? "version of the EA" : "");
}

string CMarqueLicence::Standing(const ENUM_MARQUE_STATE state)
{
   string cause = StringLen(m_trouble) > 0 ? " " + m_trouble : "";
   if(state == MARQUE_VALID)
   {
      long   until = m_answer.Number("expires_at", 0);
      string words = until > 0 ? "The licence is valid until " + MqMoment(until) + "." : "The licence is valid.";
      if(m_clock.SetBackBy() > 0)
         words += " " + MqSetBack(m_clock.SetBackBy());
      return(words + MqNotices(m_answer));
   }
   if(state == MARQUE_OFFLINE)
      return("The licence is valid; the server is not reached." + cause + " The EA trades on until " + MqMoment(m_grace_until) + ".");
   if(state == MARQUE_GRACE)
      return("The licence server has not been reached for long." + cause + " The EA stops opening trades at "
             + MqMoment(m_grace_until) + ": restore the connection before.");
   if(state == MARQUE_REFUSED)
      return(MqRefusal(m_answer));
   if(state == MARQUE_ENDED)
      return("The licence server has not been reached for too long, and the EA opens no more trades." + cause
             + " It goes on by itself once the server answers.");
   if(state == MARQUE_CLOCK)
      return(MqSetBack(m_clock.SetBackBy()) + cause);
   if(m_has_lease && !m_clock.Answered() && StringLen(Elsewhere()) > 0)
      return(MqElsewhere(Elsewhere()) + cause);
   return(StringLen(m_trouble) > 0 ? m_trouble : "The licence server is being asked.");
}

// Says it in the journal and on the chart when it is new, and aloud when the EA stops trading.
void CMarqueLicence::Tell(const ENUM_MARQUE_STATE state, const string message)
{
   bool could = Opens();
   if(state == m_state && message == m_message)
      return;
   m_state   = state;
   m_message = message;
   Print("Marque: ", message);
   Comment("Marque: ", message);
   if(could && !Opens())
      Alert("Marque: ", message);
}

void CMarqueLicence::Setup(const string fault)
{
   Tell(MARQUE_SETUP, fault);
}

#endif
