//+------------------------------------------------------------------+
//| Where the EA runs: the computer, the account, the broker server.  |
//| Owns: the fingerprint. Its parts never leave the computer, only   |
//| their hash does.                                                  |
//+------------------------------------------------------------------+
#ifndef MARQUE_MACHINE_MQH
#define MARQUE_MACHINE_MQH

#include "Store.mqh"

#define MARQUE_MACHINE_FILE "Marque\\machine.id"
#define MARQUE_SERVER_CHARS_MAX 64

// A number of this Windows user, made once and shared by all terminals: it tells copies of one virtual machine apart
// only until somebody copies the file as well.
string MqInstallation(const string fresh)
{
   uchar bytes[];
   if(MqReadFile(MARQUE_MACHINE_FILE, FILE_COMMON, bytes))
   {
      string known = MqTrim(MqText(bytes, 0, ArraySize(bytes)));
      if(MqIsHex(known, 32))
         return(known);
   }
   MqBytes(fresh, bytes);
   return(MqWriteFile(MARQUE_MACHINE_FILE, FILE_COMMON, bytes) ? fresh : "");
}

// 64 hexadecimal digits that stay the same while cores, memory and installation do, and are the same in MetaTrader 4 and 5:
// two terminals on one computer are one machine.
string MqMachine(const string installation)
{
   uchar parts[], hash[];
   MqAppendText(parts, "marque-machine-1\n");
   MqAppendText(parts, IntegerToString(TerminalInfoInteger(TERMINAL_CPU_CORES)) + "\n");
   MqAppendText(parts, IntegerToString(TerminalInfoInteger(TERMINAL_MEMORY_PHYSICAL)) + "\n");
   MqAppendText(parts, TerminalInfoString(TERMINAL_COMMONDATA_PATH) + "\n" + installation);
   return(MqSha256(parts, hash) ? MqHex(hash) : "");
}

string MqAccount()
{
   long login = AccountInfoInteger(ACCOUNT_LOGIN);
   return(login > 0 ? IntegerToString(login) : "");
}

string MqBrokerServer()
{
   return(MqPart(AccountInfoString(ACCOUNT_SERVER), 0, MARQUE_SERVER_CHARS_MAX));
}

string MqAccountKind()
{
   long mode = AccountInfoInteger(ACCOUNT_TRADE_MODE);
   if(mode == ACCOUNT_TRADE_MODE_REAL)
      return("live");
   return(mode == ACCOUNT_TRADE_MODE_CONTEST ? "contest" : "demo");
}

#endif
