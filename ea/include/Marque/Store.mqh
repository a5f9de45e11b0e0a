//+------------------------------------------------------------------+
//| What is kept in MQL5\Files\Marque (MQL4\Files\Marque) between two |
//| starts: the state, under a MAC that only this licence key on this |
//| computer makes, and the lease, which is an answer as it came.     |
//| Refuses to know: what the fields mean.                            |
//+------------------------------------------------------------------+
#ifndef MARQUE_STORE_MQH
#define MARQUE_STORE_MQH

#include "Answer.mqh"
#include "Turn.mqh"

#define MARQUE_FILE_BYTES_MAX 65536

bool MqReadFile(const string name, const int common, uchar &bytes[])
{
   ArrayResize(bytes, 0);
   if(!FileIsExist(name, common))
      return(false);
   int handle = FileOpen(name, FILE_READ | FILE_BIN | common);
   if(handle == INVALID_HANDLE)
      return(false);
   if(FileSize(handle) <= MARQUE_FILE_BYTES_MAX)
      FileReadArray(handle, bytes);
   FileClose(handle);
   return(ArraySize(bytes) > 0);
}

// Writes beside the file and then puts it in its place, so that a crash leaves the old one or the new one.
bool MqWriteFile(const string name, const int common, const uchar &bytes[])
{
   string beside = name + ".new";
   int handle = FileOpen(beside, FILE_WRITE | FILE_BIN | common);
   if(handle == INVALID_HANDLE)
      return(false);
   int  size    = ArraySize(bytes);
   bool written = (int)FileWriteArray(handle, bytes) == size;
   FileClose(handle);
   return(written && FileMove(beside, common, name, FILE_REWRITE | common));
}

// Takes the first line off; false when there is none.
bool MqLine(const uchar &bytes[], int &at, string &line)
{
   int size = ArraySize(bytes);
   for(int i = at; i < size; i++)
      if(bytes[i] == '\n')
      {
         line = MqText(bytes, at, i - at);
         at   = i + 1;
         return(true);
      }
   return(false);
}

void MqTail(const uchar &bytes[], const int from, uchar &tail[])
{
   int count = ArraySize(bytes) - from;
   ArrayResize(tail, count > 0 ? count : 0);
   for(int i = 0; i < count; i++)
      tail[i] = bytes[from + i];
}

class CMarqueStore
{
private:
   string      m_name;
   CMarqueTurn m_turn;

   string StateName() const { return(m_name + ".state"); }
   string LeaseName() const { return(m_name + ".lease"); }

public:
        CMarqueStore() { m_name = ""; }
   void Set(const string product, const string account);
   // Between the two nobody else of this terminal reads or writes these files.
   void Open() { m_turn.Take(); }
   void Close() { m_turn.Give(); }

   bool SaveState(const uchar &key[], const CMarqueFields &state) const;
   // False when there is none. `altered` when there is one that was not written here, with this licence key.
   bool LoadState(const uchar &key[], CMarqueFields &state, bool &altered) const;
   bool SaveLease(const string operation, const string header, const uchar &body[]) const;
   bool LoadLease(string &operation, string &header, uchar &body[]) const;
   void DropLease() const { FileDelete(LeaseName()); }
   void DropAll() const { FileDelete(LeaseName()); FileDelete(StateName()); }
};

void CMarqueStore::Set(const string product, const string account)
{
   m_name = "Marque\\" + product + "-" + account;
   m_turn.Set(m_name);
}

bool CMarqueStore::SaveState(const uchar &key[], const CMarqueFields &state) const
{
   uchar body[], bytes[];
   MqBytes(state.Json(), body);
   MqAppendText(bytes, "marque-state-1\n" + MqSignature(key, "state", "keep", "local", body) + "\n");
   MqAppend(bytes, body);
   return(MqWriteFile(StateName(), 0, bytes));
}

bool CMarqueStore::LoadState(const uchar &key[], CMarqueFields &state, bool &altered) const
{
   uchar bytes[], body[];
   altered = false;
   if(!MqReadFile(StateName(), 0, bytes))
      return(false);
   int    at = 0;
   string first = "", signature = "";
   altered = true;
   if(!MqLine(bytes, at, first) || first != "marque-state-1" || !MqLine(bytes, at, signature))
      return(false);
   MqTail(bytes, at, body);
   if(!MqSameText(MqSignature(key, "state", "keep", "local", body), signature))
      return(false);
   if(!state.Read(MqText(body, 0, ArraySize(body))))
      return(false);
   altered = false;
   return(true);
}

bool CMarqueStore::SaveLease(const string operation, const string header, const uchar &body[]) const
{
   uchar bytes[];
   MqAppendText(bytes, "marque-lease-1\n" + operation + "\n" + header + "\n");
   MqAppend(bytes, body);
   return(MqWriteFile(LeaseName(), 0, bytes));
}

bool CMarqueStore::LoadLease(string &operation, string &header, uchar &body[]) const
{
   uchar  bytes[];
   int    at = 0;
   string first = "";
   if(!MqReadFile(LeaseName(), 0, bytes))
      return(false);
   if(!MqLine(bytes, at, first) || first != "marque-lease-1" || !MqLine(bytes, at, operation) || !MqLine(bytes, at, header))
      return(false);
   MqTail(bytes, at, body);
   return(true);
}

#endif
