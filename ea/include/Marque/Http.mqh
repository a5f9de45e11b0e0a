//+------------------------------------------------------------------+
//| One call of the licence server at a time, and when the next may   |
//| be tried. Owns: addresses, WebRequest, its faults, back-off.      |
//| Refuses to know: what is asked and whether an answer is genuine.  |
//+------------------------------------------------------------------+
#ifndef MARQUE_HTTP_MQH
#define MARQUE_HTTP_MQH

#include "Json.mqh"
#include "Platform.mqh"
#include "Words.mqh"

#define MARQUE_URL_MAX 1024
#define MARQUE_ANSWER_BYTES_MAX 65536
#define MARQUE_TIMEOUT_MS_MIN 500
#define MARQUE_TIMEOUT_MS_MAX 5000
#define MARQUE_BACKOFF_S_FIRST 15
#define MARQUE_BACKOFF_S_MAX 900
#define MARQUE_RETRY_AFTER_S_MAX 3600

class CMarqueHttp
{
private:
   string m_base;
   int    m_timeout_ms;
   bool   m_busy;
   int    m_failures;
   // The last answer.
   int    m_status;
   uchar  m_body[];
   string m_headers;
   string m_fault;
   bool   m_not_listed;

   bool IsLocal(const string rest) const;

public:
          CMarqueHttp();
   // False when no EA should send anything to such an address; `fault` then says why.
   bool   Set(const string address, const int timeout_ms, string &fault);
   string Base() const { return(m_base); }
   // Sends; false when nothing came back. GET puts the query into the address, POST into the body.
   bool   Send(const bool post, const string path, const string payload, const string signature);
   int    Status() const { return(m_status); }
   string Fault() const { return(m_fault); }
   bool   NotListed() const { return(m_not_listed); }
   void   Body(uchar &body[]) const { ArrayResize(body, 0); MqAppend(body, m_body); }
   string Text() const { return(MqText(m_body, 0, ArraySize(m_body))); }
   string Header(const string name) const;
   bool   FitsAddress(const string path, const string query) const;
   void   Succeeded() { m_failures = 0; }
   // Seconds until the next try after one that failed: doubled each time, spread so that not all come at once.
   int    BackOff();
};

CMarqueHttp::CMarqueHttp()
{
   m_base       = "";
   m_timeout_ms = 3000;
   m_busy       = false;
   m_failures   = 0;
   m_status     = 0;
   m_headers    = "";
   m_fault      = "";
   m_not_listed = false;
}

bool CMarqueHttp::Set(const string address, const int timeout_ms, string &fault)
{
   string base = MqTrim(address);
   while(StringLen(base) > 0 && StringGetCharacter(base, StringLen(base) - 1) == '/')
      base = MqPart(base, 0, StringLen(base) - 1);
   bool safe = MqStarts(base, "https://") && StringLen(base) > 8;
   bool here = MqStarts(base, "http://") && IsLocal(MqRest(base, 7));
   if(!safe && !here)
   {
      fault = "The portal's address must begin with https://, such as https://portal.example.com. Correct it in the EA's inputs.";
      return(false);
   }
   m_base       = base;
   m_timeout_ms = timeout_ms;
   if(m_timeout_ms < MARQUE_TIMEOUT_MS_MIN)
      m_timeout_ms = MARQUE_TIMEOUT_MS_MIN;
   if(m_timeout_ms > MARQUE_TIMEOUT_MS_MAX)
      m_timeout_ms = MARQUE_TIMEOUT_MS_MAX;
   return(true);
}

// Only a computer's own address may be called without encryption: a name and a port, and nothing that could hide another one.
bool CMarqueHttp::IsLocal(const string rest) const
{
   int colon = StringFind(rest, ":");
   string host = colon < 0 ? rest : MqPart(rest, 0, colon);
   int length = StringLen(host);
   if(colon >= 0 && !MqIsDigits(MqRest(rest, colon + 1)))
      return(false);
   for(int i = 0; i < length; i++)
   {
      int c = StringGetCharacter(host, i);
      if(!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || c == '-' || c == '.'))
         return(false);
   }
   return(host == "localhost" || host == "127.0.0.1" || (length > 10 && MqRest(host, length - 10) == ".localhost"));
}

bool CMarqueHttp::FitsAddress(const string path, const string query) const
{
   return(StringLen(m_base) + StringLen(path) + 1 + StringLen(query) <= MARQUE_URL_MAX);
}

bool CMarqueHttp::Send(const bool post, const string path, const string payload, const string signature)
{
   if(m_busy)
      return(false);
   m_busy = true;
   char   sent[], received[];
   uchar  bytes[];
   string url     = m_base + path;
   string headers = "Accept: application/json\r\nMarque-Signature: " + signature + "\r\n";
   if(post)
   {
      headers += "Content-Type: application/json\r\n";
      MqBytes(payload, bytes);
   }
   else
      url += "?" + payload;
   int size = ArraySize(bytes);
   ArrayResize(sent, size);
   for(int i = 0; i < size; i++)
      sent[i] = (char)bytes[i];
   m_headers    = "";
   m_fault      = "";
   m_not_listed = false;
   ArrayResize(m_body, 0);
   ResetLastError();
   m_status = WebRequest(post ? "POST" : "GET", url, headers, m_timeout_ms, sent, received, m_headers);
   int error = GetLastError();
   m_busy = false;
   // Terminals answer -1 or a number that is no status of HTTP (1001, 1003) when nothing came back.
   if(m_status < 100 || m_status > 599)
   {
      m_not_listed = error == MARQUE_ERROR_NOT_LISTED;
      m_fault = m_not_listed ? MqNotListed(m_base) : MqUnheard(MqNoAnswer(error > 0 ? error : m_status));
      return(false);
   }
   size = ArraySize(received);
   if(size > MARQUE_ANSWER_BYTES_MAX)
   {
      m_fault = MqUnheard("its answer is too large");
      return(false);
   }
   ArrayResize(m_body, size);
   for(int i = 0; i < size; i++)
      m_body[i] = (uchar)received[i];
   return(true);
}

// The value of a header of the last answer; empty where there is none.
string CMarqueHttp::Header(const string name) const
{
   string lines[];
   int count = StringSplit(m_headers, '\n', lines);
   for(int i = 0; i < count; i++)
   {
      int colon = StringFind(lines[i], ":");
      if(colon > 0 && MqLower(MqPart(lines[i], 0, colon)) == name)
         return(MqTrim(MqRest(lines[i], colon + 1)));
   }
   return("");
}

int CMarqueHttp::BackOff()
{
   int wait = MARQUE_BACKOFF_S_FIRST;
   for(int i = 0; i < m_failures && wait < MARQUE_BACKOFF_S_MAX; i++)
      wait *= 2;
   if(wait > MARQUE_BACKOFF_S_MAX)
      wait = MARQUE_BACKOFF_S_MAX;
   m_failures++;
   wait += MathRand() % (wait / 5 + 1);
   if(m_status == 429 || m_status == 503)
   {
      string asked = Header("retry-after");
      int    least = MqIsDigits(asked) && StringLen(asked) < 8 ? (int)StringToInteger(asked) : 0;
      if(least > MARQUE_RETRY_AFTER_S_MAX)
         least = MARQUE_RETRY_AFTER_S_MAX;
      if(wait < least)
         wait = least + MathRand() % 5;
   }
   return(wait);
}

#endif
