//+------------------------------------------------------------------+
//| The licence of an EA: Start in OnInit, OnTimer once a second,     |
//| OnTick in OnTick, Stop in OnDeinit, and Allowed() before a trade. |
//|                                                                  |
//| Owns: which call comes next, what an answer changes, and whether  |
//| the EA may open trades. It never closes or changes a position.    |
//| It calls the server only from Start, OnTimer and Release, one     |
//| call at a time, never longer than its timeout, and never in the   |
//| strategy tester.                                                  |
//+------------------------------------------------------------------+
#ifndef MARQUE_LICENCE_MQH
#define MARQUE_LICENCE_MQH

#include "Answer.mqh"
#include "Clock.mqh"
#include "Http.mqh"
#include "Machine.mqh"
#include "Settings.mqh"
#include "Usage.mqh"
#include "Words.mqh"

#define MARQUE_PATH "/api/ea/v1/"
#define MARQUE_SAVE_EVERY_MS 60000
#define MARQUE_HEARTBEAT_S_MIN 10
#define MARQUE_HEARTBEAT_S_MAX 86400
#define MARQUE_CONFIG_AGAIN_S 300
#define MARQUE_CONFIG_AGAIN_S_MAX 3600
// Without a timer for so long, Allowed() looks at the time itself.
#define MARQUE_JUDGED_MS_MAX 60000

enum ENUM_MARQUE_STATE
{
   MARQUE_STARTING, // Not answered yet.
   MARQUE_SETUP,    // Something on this side must be put right first.
   MARQUE_TESTER,   // In the strategy tester: nothing is asked.
   MARQUE_VALID,    // Answered, valid.
   MARQUE_OFFLINE,  // The server is not reached; the lease still holds.
   MARQUE_GRACE,    // The lease has ended; the grace still holds.
   MARQUE_REFUSED,  // The server said no.
   MARQUE_ENDED,    // Not heard from for too long.
   MARQUE_CLOCK     // Offline, and the computer's clock was set back.
};

// What decides about a lease and does not stand in it.
struct MarqueAsked
{
   string nonce;
   string kind;
   string server;
   string version;
};

void MqForget(MarqueAsked &asked)
{
   asked.nonce   = "";
   asked.kind    = "";
   asked.server  = "";
   asked.version = "";
}

class CMarqueLicence
{
private:
   // What was told at the start.
   string            m_product;
   string            m_version;
   long              m_schema;
   string            m_account;
   string            m_machine;
   // Parts.
   CMarqueKey        m_key;
   CMarqueHttp       m_http;
   CMarqueClock      m_clock;
   CMarqueStore      m_store;
   CMarqueUsage      m_usage;
   CMarqueSettings   m_settings;
   CMarqueJudge      m_judge;
   // What the server gave.
   MarqueActivation  m_activation;
   MarqueActivation  m_former;      // The one before the last change of keys: the kept lease may be signed with it.
   MarqueAsked       m_asked;       // What the call under way says of this EA,
   MarqueAsked       m_lease_for;   // and what was said when the kept lease was given.
   bool              m_has_lease;
   long              m_lease_until;
   long              m_grace_until;
   long              m_heartbeat_s;
   CMarqueFields     m_answer;
   // Where things stand.
   ENUM_MARQUE_STATE m_state;
   string            m_message;
   string            m_trouble;     // Why the last call failed; empty when it did not.
   bool              m_setup;       // Nothing can be asked until the inputs are changed.
   bool              m_refused;
   bool              m_must_activate;
   bool              m_released;
   int               m_reactivations;
   long              m_calls;
   ulong             m_next;        // Running time at which the next call is due.
   ulong             m_saved;
   ulong             m_ran;
   ulong             m_judged;
   string            m_kept;        // The activation that was last seen in the state file.
   int               m_config_failures;
   ulong             m_config_next; // Running time before which settings that could not be fetched are not asked for again.

   void   Reset();
   bool   Prepare();
   void   LoadKept();
   void   LoadLease();
   bool   ReadState(CMarqueFields &state, bool &altered);
   void   Take(const CMarqueFields &state);
   void   TakeLeaseFor(const CMarqueFields &state);
   void   Share(const bool activated);
   void   LookAround();
   void   WriteState();
   void   SaveState();
   void   Turn();
   bool   WantsConfig() const { return(m_settings.Stale() && MqTicks() >= m_config_next); }
   string NextOperation() const;
   string Elsewhere() const;
   bool   Opens() const;
   bool   Ask(const string operation);
   void   Compose(const string operation, const string nonce, CMarqueFields &request);
   void   Hear(const string operation, const string nonce);
   void   Problem(const string operation);
   void   Accept(const string operation, const string header, const uchar &body[], const CMarqueFields &answer);
   void   Refuse(const CMarqueFields &answer);
   void   ReKey(const CMarqueFields &answer);
   void   Trouble(const string cause);
   void   Due(const long seconds) { m_next = MqTicks() + (ulong)(seconds > 0 ? seconds : 0) * 1000; }
   long   Recheck(const CMarqueFields &answer);
   string Nonce();
   void   Judge();
   string Standing(const ENUM_MARQUE_STATE state);
   void   Tell(const ENUM_MARQUE_STATE state, const string message);
   void   Setup(const string fault);

public:
          CMarqueLicence() { Reset(); }
   // False when the inputs must be corrected first: Message() then says which. The EA may stay on the chart.
   bool   Start(const string address, const string product, const string version, const long schema, const string licence_key,
                const int timeout_ms);
   void   OnTimer();
   void   OnTick() { m_clock.OnQuote(); }
   void   Stop();
   // Gives the seat back, so that another computer can have it at once.
   bool   Release();

   // Whether the EA may open trades now. Managing and closing what is open needs nobody's leave.
   bool   Allowed();
   ENUM_MARQUE_STATE State() const { return(m_state); }
   string Message() const { return(m_message); }
   // An EA tells each order it opened; it is reported with the next heartbeat.
   void   CountOrder(const double lots) { m_usage.Order(lots); }

   long   SettingsVersion() const { return(m_settings.Version()); }
   string Setting(const string name, const string otherwise) const { return(m_settings.Text(name, otherwise)); }
   double SettingNumber(const string name, const double otherwise) const { return(m_settings.Number(name, otherwise)); }
   bool   SettingFlag(const string name, const bool otherwise) const { return(m_settings.Flag(name, otherwise)); }
};

#include "LicenceStart.mqh"
#include "LicenceCall.mqh"
#include "LicenceState.mqh"

#endif
