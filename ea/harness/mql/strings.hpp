// MQL's functions on texts, numbers and bytes.
#pragma once

#include <cmath>
#include <ctime>

#include "text.hpp"

inline int mql_error = 0;

inline int GetLastError() { return mql_error; }
inline void ResetLastError() { mql_error = 0; }

const int CP_ACP = 0;
const int CP_UTF8 = 65001;
const int WHOLE_ARRAY = -1;

inline int StringLen(const string &text) { return text.length(); }

// The length 0 means the rest in MetaTrader 4 and nothing in 5.
inline string StringSubstr(const string &text, int from, int count = -1) {
    if (from < 0 || from > text.length()) {
        return string();
    }
#ifdef __MQL4__
    const bool rest = count <= 0;
#else
    const bool rest = count < 0;
#endif
    return string(text.text.substr(static_cast<size_t>(from), rest ? std::u16string::npos : static_cast<size_t>(count)));
}

inline int StringFind(const string &text, const string &what, int from = 0) {
    if (what.length() == 0) {
        return -1;
    }
    const size_t at = text.text.find(what.text, static_cast<size_t>(from));
    return at == std::u16string::npos ? -1 : static_cast<int>(at);
}

inline ushort StringGetCharacter(const string &text, int at) {
    if (at < 0 || at >= text.length()) {
        mql_error = 5041;
        return 0;
    }
    return static_cast<ushort>(text.text[static_cast<size_t>(at)]);
}

inline bool StringSetCharacter(string &text, int at, ushort character) {
    if (at < 0 || at > text.length()) {
        mql_error = 5041;
        return false;
    }
    if (at == text.length()) {
        text.text += static_cast<char16_t>(character);
    } else {
        text.text[static_cast<size_t>(at)] = static_cast<char16_t>(character);
    }
    return true;
}

inline bool StringToLower(string &text) {
    for (char16_t &c : text.text) {
        c = c >= u'A' && c <= u'Z' ? static_cast<char16_t>(c + 32) : c;
    }
    return true;
}

inline bool StringToUpper(string &text) {
    for (char16_t &c : text.text) {
        c = c >= u'a' && c <= u'z' ? static_cast<char16_t>(c - 32) : c;
    }
    return true;
}

inline int StringSplit(const string &text, ushort separator, Array<string> &parts) {
    ArrayResize(parts, 0);
    std::u16string part;
    const auto end = [&parts, &part]() {
        ArrayResize(parts, parts.size() + 1);
        parts[parts.size() - 1] = string(part);
        part.clear();
    };
    for (const char16_t c : text.text) {
        if (c == separator) {
            end();
        } else {
            part += c;
        }
    }
    if (!text.text.empty()) {
        end();
    }
    return parts.size();
}

// An array that is too small grows; one that is large enough keeps its size, as MQL says.
inline int StringToCharArray(const string &text, Array<uchar> &array, int start = 0, int count = -1, int codepage = CP_ACP) {
    std::string bytes;
    if (codepage == CP_UTF8) {
        bytes = text.utf8();
    } else {
        for (const char16_t c : text.text) {
            bytes += c < 0x80 ? static_cast<char>(c) : '?';
        }
    }
    bytes += '\0';
    const int size = count < 0 || count > static_cast<int>(bytes.size()) ? static_cast<int>(bytes.size()) : count;
    if (array.size() < start + size) {
        ArrayResize(array, start + size);
    }
    for (int i = 0; i < size; i++) {
        array[start + i] = static_cast<uchar>(bytes[static_cast<size_t>(i)]);
    }
    return size;
}

inline string CharArrayToString(const Array<uchar> &array, int start = 0, int count = -1, int codepage = CP_ACP) {
    std::string bytes;
    const int end = count < 0 ? array.size() : start + count;
    for (int i = start; i < end && i < array.size() && array[i] != 0; i++) {
        bytes += codepage == CP_UTF8 || array[i] < 0x80 ? static_cast<char>(array[i]) : '?';
    }
    return string::of(bytes);
}

inline string CharToString(uchar character) { return string(std::u16string(1, static_cast<char16_t>(character))); }
inline string IntegerToString(long number) { return string::of(std::to_string(number)); }
inline long StringToInteger(const string &text) { return std::strtol(text.utf8().c_str(), nullptr, 10); }
inline double StringToDouble(const string &text) { return std::strtod(text.utf8().c_str(), nullptr); }
inline double MathRound(double number) { return std::round(number); }

inline string DoubleToString(double number, int digits = 8) {
    char text[64];
    std::snprintf(text, sizeof text, "%.*f", digits, number);
    return _S(text);
}

const int TIME_DATE = 1;
const int TIME_MINUTES = 2;
const int TIME_SECONDS = 4;

inline string TimeToString(datetime time, int mode = TIME_DATE | TIME_MINUTES) {
    std::tm parts = {};
    gmtime_r(&time, &parts);
    char date[16] = "", clock[16] = "";
    if (mode & TIME_DATE) {
        std::strftime(date, sizeof date, "%Y.%m.%d", &parts);
    }
    if (mode & (TIME_MINUTES | TIME_SECONDS)) {
        std::strftime(clock, sizeof clock, mode & TIME_SECONDS ? "%H:%M:%S" : "%H:%M", &parts);
    }
    return _S(date) + _S(*date && *clock ? " " : "") + _S(clock);
}

// What Print and StringFormat take.
struct MqlValue {
    MqlValue(const string &value) : text(value), is_text(true) {}
    MqlValue(double value) : number(value), is_double(true) {}
    template <typename T, typename = std::enable_if_t<std::is_integral_v<T> || std::is_enum_v<T>>>
    MqlValue(T value) : whole(static_cast<long>(value)) {}

    string shown() const { return is_text ? text : is_double ? DoubleToString(number) : IntegerToString(whole); }

    string text;
    double number = 0;
    long whole = 0;
    bool is_text = false;
    bool is_double = false;
};

inline string mql_join(std::initializer_list<MqlValue> values) {
    string text = _S("");
    for (const MqlValue &value : values) {
        text += value.shown();
    }
    return text;
}

inline string mql_format(const string &format, std::initializer_list<MqlValue> values) {
    const std::string pattern = format.utf8();
    std::string text;
    auto value = values.begin();
    for (size_t at = 0; at < pattern.size(); at++) {
        if (pattern[at] != '%' || pattern.compare(at, 2, "%%") == 0) {
            text += pattern[at];
            at += pattern[at] == '%';
            continue;
        }
        const size_t end = pattern.find_first_of("diuxXfgs", at);
        if (end == std::string::npos || value == values.end()) {
            mql_critical("StringFormat with a wrong format");
        }
        char part[512];
        const std::string flags = pattern.substr(at, end - at);
        const char kind = pattern[end];
        if (kind == 's') {
            std::snprintf(part, sizeof part, (flags + "s").c_str(), value->shown().utf8().c_str());
        } else if (kind == 'f' || kind == 'g') {
            std::snprintf(part, sizeof part, (flags + kind).c_str(), value->number);
        } else {
            std::snprintf(part, sizeof part, (flags + "l" + kind).c_str(), value->whole);
        }
        text += part;
        ++value;
        at = end;
    }
    return string::of(text);
}

template <typename... T>
string StringFormat(const string &format, const T &...values) {
    return mql_format(format, {MqlValue(values)...});
}
