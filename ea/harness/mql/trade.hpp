// Just enough of trading for the sample EA: one position of one instrument, filled at the price of the last quote.
#pragma once

#include "web.hpp"

const string _Symbol = _S("EURUSD");
enum ENUM_SYMBOL_INFO_DOUBLE { SYMBOL_BID, SYMBOL_ASK };
inline double SymbolInfoDouble(const string &, ENUM_SYMBOL_INFO_DOUBLE what) {
    return mql_terminal.bid + (what == SYMBOL_ASK ? 0.0001 : 0.0);
}

inline bool mql_deal(double lots) {
    mql_terminal.position += lots;
    mql_say("order", (lots > 0 ? "buy " : "sell ") + DoubleToString(std::fabs(lots), 2).utf8());
    return true;
}

#ifdef __MQL5__

enum ENUM_SYMBOL_INFO_INTEGER { SYMBOL_FILLING_MODE };
const int SYMBOL_FILLING_FOK = 1;
inline long SymbolInfoInteger(const string &, ENUM_SYMBOL_INFO_INTEGER) { return SYMBOL_FILLING_FOK; }

enum ENUM_ORDER_TYPE { ORDER_TYPE_BUY, ORDER_TYPE_SELL };
enum ENUM_ORDER_TYPE_FILLING { ORDER_FILLING_FOK, ORDER_FILLING_IOC };
enum ENUM_TRADE_REQUEST_ACTIONS { TRADE_ACTION_NONE, TRADE_ACTION_DEAL };
const uint TRADE_RETCODE_DONE = 10009;

struct MqlTradeRequest {
    ENUM_TRADE_REQUEST_ACTIONS action = TRADE_ACTION_NONE;
    ulong magic = 0;
    string symbol;
    double volume = 0;
    double price = 0;
    ulong deviation = 0;
    ENUM_ORDER_TYPE type = ORDER_TYPE_BUY;
    ENUM_ORDER_TYPE_FILLING type_filling = ORDER_FILLING_FOK;
    ulong position = 0;
};

struct MqlTradeResult {
    uint retcode = 0;
};

enum ENUM_POSITION_PROPERTY_DOUBLE { POSITION_VOLUME };
enum ENUM_POSITION_PROPERTY_INTEGER { POSITION_TICKET, POSITION_MAGIC };
enum ENUM_POSITION_PROPERTY_STRING { POSITION_SYMBOL };

inline ulong mql_position_magic = 0;
inline int PositionsTotal() { return mql_terminal.position > 0 ? 1 : 0; }
inline ulong PositionGetTicket(int) { return 77; }
inline string PositionGetString(ENUM_POSITION_PROPERTY_STRING) { return _Symbol; }
inline double PositionGetDouble(ENUM_POSITION_PROPERTY_DOUBLE) { return mql_terminal.position; }
inline long PositionGetInteger(ENUM_POSITION_PROPERTY_INTEGER what) {
    return what == POSITION_TICKET ? 77 : static_cast<long>(mql_position_magic);
}

inline bool OrderSend(const MqlTradeRequest &request, MqlTradeResult &result) {
    result.retcode = TRADE_RETCODE_DONE;
    mql_position_magic = request.magic;
    return mql_deal(request.type == ORDER_TYPE_BUY ? request.volume : -request.volume);
}

#else

const int OP_BUY = 0;
const int SELECT_BY_POS = 0;
const int MODE_TRADES = 0;
inline int mql_order_magic = 0;
inline int OrdersTotal() { return mql_terminal.position > 0 ? 1 : 0; }
inline bool OrderSelect(int, int, int) { return mql_terminal.position > 0; }
inline string OrderSymbol() { return _Symbol; }
inline int OrderMagicNumber() { return mql_order_magic; }
inline int OrderTicket() { return 77; }
inline double OrderLots() { return mql_terminal.position; }
inline int OrderSend(const string &, int, double lots, double, int, double, double, const string &, int magic) {
    mql_order_magic = magic;
    return mql_deal(lots) ? 77 : -1;
}
inline bool OrderClose(int, double lots, double, int) { return mql_deal(-lots); }

#endif
