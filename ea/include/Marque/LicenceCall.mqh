//+------------------------------------------------------------------+
//| CMarqueLicence: which call comes next, and what an answer changes.|
//| Included by Licence.mqh only.                                     |
//+------------------------------------------------------------------+
#ifndef MARQUE_LICENCE_CALL_MQH
#define MARQUE_LICENCE_CALL_MQH

void CMarqueLicence::OnTimer()
{
   if(m_state == MARQUE_TESTER || m_setup || !Prepare())
      return;
   ulong ticks = MqTicks();
   if(Opens() && ticks - m_ran >= 1000)
   {
      m_usage.Ran((long)((ticks - m_ran) / 1000));
      m_ran += (ticks - m_ran) / 1000 * 1000;
   }
   else if(!Opens())
      m_ran = ticks;
   if(!m_released && ticks >= m_next)
      Turn();
   Judge();
   if(ticks - m_saved >= MARQUE_SAVE_EVERY_MS)
      SaveState();
}

// One call.
void CMarqueLicence::Turn()
{
   // Whatever becomes of it, the next one is not at once.
   Due(MARQUE_BACKOFF_S_FIRST);
   // Another chart may have what this one would ask for.
   LookAround();
   string operation = NextOperation();
   Ask(operation);
   if(operation != "config")
      return;
   // Settings that do not come must not keep the seat from being held: the heartbeat goes first now.
   m_config_failures = m_settings.Stale() ? m_config_failures + 1 : 0;
   long wait = MARQUE_CONFIG_AGAIN_S;
   for(int i = 1; i < m_config_failures && wait < MARQUE_CONFIG_AGAIN_S_MAX; i++)
      wait *= 2;
   wait = wait > MARQUE_CONFIG_AGAIN_S_MAX ? MARQUE_CONFIG_AGAIN_S_MAX : wait;
   m_config_next = m_config_failures == 0 ? 0 : MqTicks() + (ulong)wait * 1000;
}

string CMarqueLicence::NextOperation() const
{
   if(!MqIsActivation(m_activation) || m_must_activate)
      return("activate");
   if(!m_clock.Answered() || m_refused)
      return("validate");
   if(WantsConfig())
      return("config");
   if(m_heartbeat_s > 0)
      return("heartbeat");
   return(m_usage.Unsent() ? "usage" : "validate");
}

string CMarqueLicence::Nonce()
{
   m_calls++;
   // Account and computer too: two terminals that start in the same instant must not ask with the same nonce.
   string entropy = m_account + " " + m_machine + " " + IntegerToString((long)GetMicrosecondCount()) + " " + IntegerToString((long)TimeLocal()) + " "
                    + IntegerToString((long)MqTicks()) + " " + IntegerToString(ChartID()) + " " + IntegerToString(m_calls);
   for(int i = 0; i < 8; i++)
      entropy += " " + IntegerToString(MathRand());
   return(m_key.Nonce(entropy));
}

void CMarqueLicence::Compose(const string operation, const string nonce, CMarqueFields &request)
{
   request.AddNumber("protocol", 1);
   request.AddText("key_id", m_key.Id());
   request.AddText("product", m_product);
   request.AddText("version", m_version);
   request.AddText("nonce", nonce);
   request.AddText("account", m_account);
   m_asked.nonce   = nonce;
   m_asked.kind    = MqAccountKind();
   m_asked.server  = MqBrokerServer();
   m_asked.version = m_version;
   request.AddText("server", m_asked.server);
   request.AddText("kind", m_asked.kind);
   request.AddText("machine", m_machine);
   request.AddText("platform", MARQUE_PLATFORM);
   request.AddNumber("build", TerminalInfoInteger(TERMINAL_BUILD));
   string signers = MqSigners();
   if(MqIsPinned())
      request.AddText("alg", "ed25519");
   if(StringLen(signers) > 0)
      request.AddText("signer", signers);
   if(operation != "activate")
      request.AddText("activation", m_activation.id);
   if(operation == "heartbeat" || operation == "usage")
      m_usage.Report(request);
   if(operation != "usage" && operation != "deactivate")
   {
      request.AddNumber("config_version", operation == "config" ? 0 : m_settings.Version());
      request.AddNumber("config_schema", m_schema);
   }
}

bool CMarqueLicence::Ask(const string operation)
{
   bool          activating = operation == "activate";
   string        nonce      = Nonce(), kid = "l." + m_key.Id();
   CMarqueFields request;
   uchar         key[], signed_part[];
   m_store.Open();
   Share(false);
   Compose(operation, nonce, request);
   // A sequence is used once, also when the terminal dies before the answer comes.
   WriteState();
   m_store.Close();
   bool known = activating ? m_key.LicenceKey(key)
                           : m_key.ActivationKey(m_activation.id, m_activation.generation, m_activation.salt, key);
   if(!activating)
      kid = MqActivationKid(m_activation);
   bool   asks    = operation == "validate" || operation == "config";
   string query   = asks ? request.Query() : "";
   bool   post    = !asks || !m_http.FitsAddress(MARQUE_PATH + operation, query);
   string payload = post ? request.Json() : query;
   MqBytes(payload, signed_part);
   string signature = known ? MqSignature(key, "request", operation, kid, signed_part) : "";
   if(StringLen(signature) == 0)
   {
      Trouble("The terminal cannot compute SHA-256. Update MetaTrader and start the EA again.");
      return(false);
   }
   if(!m_http.Send(post, MARQUE_PATH + operation, payload, MqSignatureHeader(kid, signature)))
   {
      Trouble(m_http.Fault());
      return(false);
   }
   Hear(operation, nonce);
   return(StringLen(m_trouble) == 0);
}

// Believes an answer or not.
void CMarqueLicence::Hear(const string operation, const string nonce)
{
   if(m_http.Status() != 200)
   {
      Problem(operation);
      return;
   }
   CMarqueFields    answer;
   MarqueActivation signer = m_activation;
   uchar            body[];
   bool             by_activation = false;
   string           header = m_http.Header("marque-signature");
   m_http.Body(body);
   if(!answer.Read(m_http.Text()))
   {
      Trouble(MqUnheard("its answer could not be read"));
      return;
   }
   // An activation brings the salt of the key that it is signed with.
   if(operation == "activate" && answer.IsTrue("valid"))
   {
      signer.id         = answer.Get("activation");
      signer.generation = answer.Number("generation", 0);
      signer.salt       = answer.Get("salt");
   }
   if(!m_judge.IsSigned(m_key, signer, operation, header, body, by_activation))
   {
      // A server that does not know the licence key cannot sign with it. Somebody in between could say so too: it ends no lease.
      if(answer.Get("code") == "NOT_FOUND" && !answer.IsTrue("valid") && !m_has_lease)
         Trouble(MqRefusal(answer));
      else
         Trouble(MqUnheard(MqIsPinned() ? MqNotVendors() : "its answer is not signed for this licence, and was ignored"));
      return;
   }
   string wrong = m_judge.Wrong(m_key, signer, operation, by_activation, answer);
   if(StringLen(wrong) == 0 && answer.Get("nonce") != nonce)
      wrong = "it is an old answer";
   if(StringLen(wrong) > 0)
   {
      Trouble(MqUnheard("its answer was ignored, because " + wrong));
      return;
   }
   m_activation = signer;
   Accept(operation, header, body, answer);
}

// An answer that is no answer: not signed, so it changes nothing but what is tried next.
void CMarqueLicence::Problem(const string operation)
{
   CMarqueFields problem;
   int    status = m_http.Status();
   string detail = problem.Read(m_http.Text()) ? problem.Get("detail") : "", code = problem.Get("code");
   if(code == "signature-refused" || code == "key-retired")
   {
      // Another chart of this terminal may have a new key by now.
      string refused = MqActivationKid(m_activation);
      LookAround();
      m_must_activate = MqActivationKid(m_activation) == refused;
      Trouble(MqUnheard("this activation's key is not known there any more, and a new one is asked for"));
      if(m_reactivations == 0)
         Due(2);
      m_reactivations++;
   }
   else if(status == 422 && (operation == "heartbeat" || operation == "usage"))
   {
      // The server has other totals than were kept here; an activation tells them.
      m_must_activate = true;
      Trouble(MqUnheard("it does not take the report, and the activation is asked for anew"));
   }
   else if(status == 429)
      Trouble(MqUnheard("it was asked too often, and is asked again later"));
   else if(status == 421 || status == 404)
      Trouble("There is no portal at " + m_http.Base() + ". Copy the address from your browser into the EA's inputs.");
   else
      Trouble(MqUnheard("it answered with status " + IntegerToString(status) + (StringLen(detail) > 0 ? ", " + detail : "")));
}

void CMarqueLicence::Trouble(const string cause)
{
   m_trouble = cause;
   // Whoever changes the terminal's list expects that it helps at once.
   Due(m_http.NotListed() ? MARQUE_BACKOFF_S_FIRST : m_http.BackOff());
}

void CMarqueLicence::Accept(const string operation, const string header, const uchar &body[], const CMarqueFields &answer)
{
   m_trouble = "";
   m_answer.CopyFrom(answer);
   m_http.Succeeded();
   m_clock.Told(answer.Number("server_time", 0));
   if(!answer.IsTrue("valid"))
   {
      Refuse(answer);
      return;
   }
   m_store.Open();
   Share(operation == "activate");
   m_refused       = false;
   m_must_activate = false;
   m_has_lease     = true;
   m_lease_until   = answer.Number("lease_until", 0);
   m_grace_until   = answer.Number("grace_until", 0);
   m_heartbeat_s   = answer.Number("heartbeat_s", 0);
   if(operation == "activate")
   {
      m_usage.Join(answer);
      MqForget(m_former);
   }
   else
      m_reactivations = 0;
   if(operation == "heartbeat" || operation == "usage")
   {
      m_usage.Heard(answer);
      m_usage.Reported();
   }
   if(m_settings.Take(answer))
      Print("Marque: settings of version ", IntegerToString(m_settings.Version()), " were taken over from the portal.");
   // One that another chart's newer key would not open is not kept in place of that chart's.
   if(MqIsPinned() || MqStarts(header, "kid=" + MqActivationKid(m_activation) + ",")
      || MqStarts(header, "kid=" + MqActivationKid(m_former) + ","))
   {
      m_store.SaveLease(operation, header, body);
      m_lease_for = m_asked;
   }
   ReKey(answer);
   WriteState();
   m_store.Close();
   long wait = m_heartbeat_s > 0 ? m_heartbeat_s : (m_lease_until - answer.Number("server_time", 0)) / 2;
   wait = wait < MARQUE_HEARTBEAT_S_MIN ? MARQUE_HEARTBEAT_S_MIN : wait > MARQUE_HEARTBEAT_S_MAX ? MARQUE_HEARTBEAT_S_MAX : wait;
   Due(WantsConfig() && operation != "config" ? 1 : wait - MathRand() % (wait / 10 + 1));
}

// Once a new key is given the next call is signed with it; the old one only opens the lease that is kept.
void CMarqueLicence::ReKey(const CMarqueFields &answer)
{
   MarqueActivation next = m_activation;
   next.generation = answer.Number("next_generation", 0);
   next.salt       = answer.Get("next_salt");
   if(next.generation <= m_activation.generation || !MqIsActivation(next))
      return;
   m_former     = m_activation;
   m_activation = next;
}

void CMarqueLicence::Refuse(const CMarqueFields &answer)
{
   string code = answer.Get("code");
   m_refused   = true;
   m_has_lease = false;
   m_store.DropLease();
   bool lost   = code == "NOT_ACTIVATED" || code == "HEARTBEAT_MISSED";
   // An activation that was lost is asked for until it is given, whatever stands in the way meanwhile.
   m_must_activate = m_must_activate || lost;
   if(code == "RELEASED")
   {
      m_released = true;
      MqForget(m_activation);
      m_usage.Reset();
      m_store.Open();
      WriteState();
      m_store.Close();
   }
   else
      SaveState();
   Due(Recheck(answer));
   if(lost)
      m_reactivations++;
}

// Seconds after which a refusal may have become something else.
long CMarqueLicence::Recheck(const CMarqueFields &answer)
{
   string code = answer.Get("code");
   if(code == "NOT_ACTIVATED" || code == "HEARTBEAT_MISSED")
   {
      long wait = 1;
      for(int i = 0; i < m_reactivations && wait < MARQUE_BACKOFF_S_MAX; i++)
         wait = i == 0 ? MARQUE_BACKOFF_S_FIRST : wait * 2;
      return(wait);
   }
   if(code == "TOO_MANY_MACHINES" || code == "TOO_MANY_ACCOUNTS")
      return(60);
   if(code == "TRANSFER_COOLDOWN")
   {
      long wait = answer.Number("retry_at", 0) - answer.Number("server_time", 0);
      return(wait < 60 ? 60 : wait > 3600 ? 3600 : wait);
   }
   return(code == "REVOKED" || code == "PRODUCT_MISMATCH" || code == "KEY_REPLACED" || code == "NOT_FOUND" ? 3600 : 300);
}

#endif
