// The terminal around an EA: its clocks, journal, chart, account and properties, all under the test's control.
#pragma once

#include <map>

#include "crypto.hpp"

const int INIT_SUCCEEDED = 0;
const int INIT_FAILED = 1;
const int INIT_PARAMETERS_INCORRECT = 32767;
const int REASON_PROGRAM = 0;
const int REASON_REMOVE = 1;
const int REASON_CHARTCHANGE = 3;
const int REASON_CLOSE = 9;

enum ENUM_MQL_INFO_INTEGER { MQL_TESTER, MQL_OPTIMIZATION };
enum ENUM_ACCOUNT_INFO_INTEGER { ACCOUNT_LOGIN, ACCOUNT_TRADE_MODE };
enum ENUM_ACCOUNT_INFO_STRING { ACCOUNT_SERVER };
enum ENUM_ACCOUNT_TRADE_MODE { ACCOUNT_TRADE_MODE_DEMO, ACCOUNT_TRADE_MODE_CONTEST, ACCOUNT_TRADE_MODE_REAL };
enum ENUM_TERMINAL_INFO_INTEGER { TERMINAL_BUILD, TERMINAL_CPU_CORES, TERMINAL_MEMORY_PHYSICAL };
enum ENUM_TERMINAL_INFO_STRING {
    TERMINAL_COMMONDATA_PATH
};

struct MqlTerminal {
    // Clocks: seconds since 1970, and milliseconds of running time.
    long computer = 1800000000;
    ulong ticks = 5000000;
    long broker = 0;       // The broker's clock minus UTC.
    long broker_drift = 0; // What a test sets it apart by.
    long truth = 1800000000;
    long last_quote = 0;
    // The EA's surroundings.
    long login = 5001;
    string server = _S("Marque-Demo");
    long mode = ACCOUNT_TRADE_MODE_DEMO;
    long memory = 16384;
    bool tester = false;
    bool timer = false;
    bool in_tick = false;
    bool disk_full = false;
    std::string root = ".";
    std::vector<std::string> allowed;
    double bid = 0;
    double position = 0;
};

inline MqlTerminal mql_terminal;

// A line for the test; texts stay on one line.
inline void mql_say(const std::string &kind, const std::string &text) {
    std::string line = kind + " ";
    for (const char c : text) {
        line += c == '\n' ? std::string("\\n") : c == '\r' ? std::string("\\r") : std::string(1, c);
    }
    std::puts(line.c_str());
}

inline void mql_violation(const std::string &what) { mql_say("violation", what); }

template <typename... T>
void Print(const T &...values) {
    mql_say("print", mql_join({MqlValue(values)...}).utf8());
}

template <typename... T>
void Comment(const T &...values) {
    mql_say("comment", mql_join({MqlValue(values)...}).utf8());
}

template <typename... T>
void Alert(const T &...values) {
    mql_say("alert", mql_join({MqlValue(values)...}).utf8());
}

inline datetime TimeGMT() { return mql_terminal.computer; }
inline datetime TimeLocal() { return mql_terminal.computer + 3600; }
inline datetime TimeCurrent() { return mql_terminal.last_quote; }
inline ulong GetTickCount64() { return mql_terminal.ticks; }
inline uint GetTickCount() { return static_cast<uint>(mql_terminal.ticks); }
inline ulong GetMicrosecondCount() { return mql_terminal.ticks * 1000 + 123; }

// MetaTrader's generator: 15 bits, started by MathSrand.
inline uint mql_random = 1;
inline void MathSrand(int seed) { mql_random = static_cast<uint>(seed); }
inline int MathRand() {
    mql_random = mql_random * 214013u + 2531011u;
    return static_cast<int>(mql_random >> 16 & 0x7fff);
}

inline long ChartID() { return 131072; }
inline bool EventSetTimer(int) {
    mql_terminal.timer = true;
    return true;
}
inline void EventKillTimer() { mql_terminal.timer = false; }

inline long MQLInfoInteger(ENUM_MQL_INFO_INTEGER what) { return what == MQL_TESTER && mql_terminal.tester; }
inline long AccountInfoInteger(ENUM_ACCOUNT_INFO_INTEGER what) {
    return what == ACCOUNT_LOGIN ? mql_terminal.login : mql_terminal.mode;
}
inline string AccountInfoString(ENUM_ACCOUNT_INFO_STRING) { return mql_terminal.server; }
inline long TerminalInfoInteger(ENUM_TERMINAL_INFO_INTEGER what) {
    return what == TERMINAL_BUILD ? 4150 : what == TERMINAL_CPU_CORES ? 8 : mql_terminal.memory;
}
inline string TerminalInfoString(ENUM_TERMINAL_INFO_STRING) {
    return _S("C:\\Users\\trader\\AppData\\Roaming\\MetaQuotes\\Terminal\\Common");
}

template <typename T>
void ZeroMemory(T &value) {
    value = T();
}
