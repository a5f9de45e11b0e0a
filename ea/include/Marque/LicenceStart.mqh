//+------------------------------------------------------------------+
//| CMarqueLicence: how it begins and ends, and what it keeps.        |
//| Included by Licence.mqh only.                                     |
//+------------------------------------------------------------------+
#ifndef MARQUE_LICENCE_START_MQH
#define MARQUE_LICENCE_START_MQH

void CMarqueLicence::Reset()
{
   m_product     = "";
   m_version     = "";
   m_schema      = 0;
   m_account     = "";
   m_machine     = "";
   m_has_lease   = false;
   m_lease_until = 0;
   m_grace_until = 0;
   m_heartbeat_s = 0;
   m_state       = MARQUE_STARTING;
   m_message     = "";
   m_trouble     = "";
   m_setup       = false;
   m_refused     = false;
   m_must_activate = false;
   m_released    = false;
   m_reactivations = 0;
   m_calls       = 0;
   m_next        = 0;
   m_saved       = 0;
   m_ran         = 0;
   m_judged      = 0;
   m_kept        = "";
   m_config_failures = 0;
   m_config_next = 0;
   MqForget(m_asked);
   MqForget(m_lease_for);
   MqForget(m_activation);
   MqForget(m_former);
   m_answer.Clear();
   m_clock.Reset();
   m_usage.Reset();
   m_settings.Reset();
}

bool CMarqueLicence::Start(const string address, const string product, const string version, const long schema,
                           const string licence_key, const int timeout_ms)
{
   Reset();
   m_product = product;
   m_version = version;
   m_schema  = schema;
   if(MQLInfoInteger(MQL_TESTER) != 0 || MQLInfoInteger(MQL_OPTIMIZATION) != 0)
   {
      Tell(MARQUE_TESTER, "In the strategy tester no licence is asked for, and nothing is sent or kept.");
      return(true);
   }
   string fault = "";
   if(!m_key.Set(licence_key, fault) || !m_http.Set(address, timeout_ms, fault))
   {
      m_setup = true;
      Setup(fault);
      return(false);
   }
   MathSrand((int)(GetMicrosecondCount() % 32768));
   m_ran = MqTicks();
   OnTimer();
   return(true);
}

// What needs an account: the terminal may still be signing in when the EA starts. False until then.
bool CMarqueLicence::Prepare()
{
   if(StringLen(m_account) > 0)
      return(true);
   string account = MqAccount();
   if(StringLen(account) == 0)
   {
      Setup("MetaTrader is not signed in to a trading account yet. Sign in (File > Login to Trade Account).");
      return(false);
   }
   string machine = MqMachine(MqInstallation(Nonce()));
   if(StringLen(machine) == 0)
   {
      Setup("The terminal cannot compute SHA-256. Update MetaTrader and start the EA again.");
      return(false);
   }
   m_account = account;
   m_machine = machine;
   m_judge.Set(m_product, m_account, m_machine);
   m_store.Set(m_product, m_account);
   LoadKept();
   return(true);
}

bool CMarqueLicence::ReadState(CMarqueFields &state, bool &altered)
{
   uchar key[];
   altered = false;
   return(m_key.StateKey(m_machine, key) && m_store.LoadState(key, state, altered));
}

void CMarqueLicence::LoadKept()
{
   CMarqueFields state;
   bool          altered = false;
   m_store.Open();
   if(ReadState(state, altered))
   {
      Take(state);
      m_clock.Load(state);
      m_usage.Load(state);
      m_settings.Load(state);
      LoadLease();
   }
   else if(altered)
   {
      Print("Marque: what was kept of the last run is not of this licence key on this computer. The server is asked anew.");
      m_store.DropAll();
   }
   m_store.Close();
}

// The activation that is kept, and what its lease is for.
void CMarqueLicence::Take(const CMarqueFields &state)
{
   m_activation.id         = state.Get("activation");
   m_activation.generation = state.Number("generation", 0);
   m_activation.salt       = state.Get("salt");
   m_former.id             = m_activation.id;
   m_former.generation     = state.Number("former_generation", 0);
   m_former.salt           = state.Get("former_salt");
   if(!MqIsActivation(m_activation))
      MqForget(m_activation);
   m_kept = m_activation.id;
   TakeLeaseFor(state);
}

void CMarqueLicence::TakeLeaseFor(const CMarqueFields &state)
{
   m_lease_for.nonce   = state.Get("lease_nonce");
   m_lease_for.kind    = state.Get("lease_kind");
   m_lease_for.server  = state.Get("lease_server");
   m_lease_for.version = state.Get("lease_version");
}

// Another chart of this terminal may run the same EA on the same account: what it kept meanwhile is taken over before anything is
// written. `activated` when the seat that this one has is younger than anything that is kept. Within the store's turn only.
void CMarqueLicence::Share(const bool activated)
{
   CMarqueFields state;
   bool          altered = false;
   if(!ReadState(state, altered))
      return;
   string there = state.Get("activation");
   TakeLeaseFor(state);
   m_clock.Share(state);
   if(state.Number("config_version", 0) > m_settings.Version())
      m_settings.Load(state);
   if(StringLen(there) == 0 || there == m_activation.id)
   {
      m_usage.Share(state, false);
      if(state.Number("generation", 0) > m_activation.generation)
      {
         Take(state);
         m_must_activate = false;
      }
   }
   else if(!activated && there != m_kept)
   {
      m_usage.Share(state, true);
      Take(state);
      m_must_activate = false;
   }
   m_kept = there;
}

// The lease counts only as the server signed it, for this account and this computer.
void CMarqueLicence::LoadLease()
{
   string operation = "", header = "", kid = "", signature = "";
   uchar  body[];
   bool   by_activation = false;
   if(!MqIsActivation(m_activation) || !m_store.LoadLease(operation, header, body))
      return;
   if(!MqIsPinned() && !MqReadSignature(header, kid, signature))
      return;
   MarqueActivation signer = m_activation;
   if(!MqIsPinned() && kid != MqActivationKid(signer))
      signer = m_former;
   CMarqueFields answer;
   bool good = m_judge.IsSigned(m_key, signer, operation, header, body, by_activation)
               && answer.Read(MqText(body, 0, ArraySize(body))) && answer.IsTrue("valid")
               && StringLen(m_judge.Wrong(m_key, signer, operation, by_activation, answer)) == 0;
   if(!good)
   {
      Print("Marque: the kept lease was altered or belongs elsewhere, and does not count. The server is asked anew.");
      m_store.DropLease();
      return;
   }
   // A state that was kept with another lease does not say what this one is for.
   if(answer.Get("nonce") != m_lease_for.nonce)
      return;
   m_answer.CopyFrom(answer);
   m_has_lease   = true;
   m_lease_until = answer.Number("lease_until", 0);
   m_grace_until = answer.Number("grace_until", 0);
   m_heartbeat_s = answer.Number("heartbeat_s", 0);
}

// What other charts did meanwhile, with nothing written.
void CMarqueLicence::LookAround()
{
   m_store.Open();
   Share(false);
   m_store.Close();
}

void CMarqueLicence::SaveState()
{
   // Who gave the seat back has nothing to keep, and another chart may have taken one since.
   if(StringLen(m_account) == 0 || m_released)
      return;
   m_store.Open();
   Share(false);
   WriteState();
   m_store.Close();
}

void CMarqueLicence::WriteState()
{
   uchar         key[];
   CMarqueFields state;
   if(StringLen(m_account) == 0 || !m_key.StateKey(m_machine, key))
      return;
   if(MqIsActivation(m_activation))
   {
      state.AddText("activation", m_activation.id);
      state.AddNumber("generation", m_activation.generation);
      state.AddText("salt", m_activation.salt);
      state.AddNumber("former_generation", m_former.generation);
      state.AddText("former_salt", m_former.salt);
      state.AddText("lease_nonce", m_lease_for.nonce);
      state.AddText("lease_kind", m_lease_for.kind);
      state.AddText("lease_server", m_lease_for.server);
      state.AddText("lease_version", m_lease_for.version);
   }
   m_kept = m_activation.id;
   m_clock.Save(state);
   m_usage.Save(state);
   m_settings.Save(state);
   m_saved = MqTicks();
   if(!m_store.SaveState(key, state))
      Print("Marque: the state could not be written to ", MARQUE_FILES, ". Without it the EA cannot start while the server is away: ",
            "free some disk space and check that the folder may be written to.");
}

void CMarqueLicence::Stop()
{
   if(m_state != MARQUE_TESTER)
      SaveState();
   Comment("");
}

bool CMarqueLicence::Release()
{
   if(m_state == MARQUE_TESTER || !MqIsActivation(m_activation) || !Ask("deactivate"))
      return(false);
   Judge();
   return(m_released);
}

#endif
