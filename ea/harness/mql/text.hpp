// MQL's string: UTF-16, and a NULL that is not the empty text.
#pragma once

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <type_traits>
#include <vector>

typedef unsigned char uchar;
typedef unsigned short ushort;
typedef unsigned int uint;
typedef unsigned long ulong;
typedef long datetime;

// Ends the program as the terminal does after a critical error.
[[noreturn]] inline void mql_critical(const char *what) {
    std::printf("critical %s\ndone critical\n", what);
    std::fflush(stdout);
    std::exit(3);
}

inline std::u16string mql_decode(const char *bytes, size_t size) {
    std::u16string text;
    for (size_t at = 0; at < size;) {
        const unsigned lead = static_cast<unsigned char>(bytes[at]);
        const size_t more = lead < 0x80 ? 0 : lead >> 5 == 6 ? 1 : lead >> 4 == 14 ? 2 : lead >> 3 == 30 ? 3 : 4;
        bool good = more < 4 && at + more < size;
        unsigned point = more == 0 ? lead : lead & (0x3fu >> more);
        for (size_t i = 1; good && i <= more; i++) {
            const unsigned next = static_cast<unsigned char>(bytes[at + i]);
            good = next >> 6 == 2;
            point = point << 6 | (next & 0x3f);
        }
        if (!good) {
            text += u'\xfffd';
            at++;
            continue;
        }
        if (point >= 0x10000) {
            text += static_cast<char16_t>(0xd800 + ((point - 0x10000) >> 10));
            text += static_cast<char16_t>(0xdc00 + ((point - 0x10000) & 0x3ff));
        } else {
            text += static_cast<char16_t>(point);
        }
        at += more + 1;
    }
    return text;
}

inline std::string mql_encode(const std::u16string &text) {
    std::string bytes;
    for (size_t at = 0; at < text.size(); at++) {
        unsigned point = text[at];
        const bool high = point >= 0xd800 && point < 0xdc00;
        if (high && at + 1 < text.size() && text[at + 1] >= 0xdc00 && text[at + 1] < 0xe000) {
            point = 0x10000 + ((point - 0xd800) << 10) + (text[++at] - 0xdc00u);
        } else if (point >= 0xd800 && point < 0xe000) {
            point = 0xfffd;
        }
        const auto put = [&bytes](unsigned byte) { bytes += static_cast<char>(byte); };
        if (point < 0x80) {
            put(point);
        } else if (point < 0x800) {
            put(0xc0 | point >> 6);
            put(0x80 | (point & 0x3f));
        } else if (point < 0x10000) {
            put(0xe0 | point >> 12);
            put(0x80 | (point >> 6 & 0x3f));
            put(0x80 | (point & 0x3f));
        } else {
            put(0xf0 | point >> 18);
            put(0x80 | (point >> 12 & 0x3f));
            put(0x80 | (point >> 6 & 0x3f));
            put(0x80 | (point & 0x3f));
        }
    }
    return bytes;
}

class string {
public:
    string() : null(true) {}
    explicit string(const std::u16string &units) : text(units), null(false) {}
    static string of(const std::string &bytes) { return string(mql_decode(bytes.data(), bytes.size())); }

    std::string utf8() const { return mql_encode(text); }
    int length() const { return static_cast<int>(text.size()); }

    string &operator+=(const string &more) {
        text += more.text;
        null = false;
        return *this;
    }
    bool operator==(const string &other) const { return null == other.null && text == other.text; }
    bool operator!=(const string &other) const { return !(*this == other); }
    bool operator<(const string &other) const { return text < other.text; }

    std::u16string text;
    bool null;
};

inline string operator+(const string &a, const string &b) {
    string sum = a;
    sum += b;
    return sum;
}

inline string _S(const char *bytes) { return string(mql_decode(bytes, std::strlen(bytes))); }

// An array with MQL's rules: indexes are checked, and what a resize adds is not zero.
template <typename T>
class Array {
public:
    Array() {}
    // Arrays are only ever handed on by reference.
    Array(const Array &) = delete;
    Array &operator=(const Array &) = delete;

    T &operator[](long index) { return items[check(index)]; }
    const T &operator[](long index) const { return items[check(index)]; }
    int size() const { return static_cast<int>(items.size()); }
    void resize(int count) {
        if constexpr (std::is_arithmetic_v<T>) {
            items.resize(static_cast<size_t>(count), static_cast<T>(0x5a));
        } else {
            items.resize(static_cast<size_t>(count));
        }
    }

private:
    std::vector<T> items;

    size_t check(long index) const {
        if (index < 0 || index >= static_cast<long>(items.size())) {
            mql_critical("array out of range");
        }
        return static_cast<size_t>(index);
    }
};

// Flags are kept as bytes: the standard's vector of bool has no references to hand out.
template <>
class Array<bool> {
public:
    Array() {}
    Array(const Array &) = delete;
    Array &operator=(const Array &) = delete;

    bool &operator[](long index) { return items[check(index)].on; }
    const bool &operator[](long index) const { return items[check(index)].on; }
    int size() const { return static_cast<int>(items.size()); }
    void resize(int count) { items.resize(static_cast<size_t>(count), Flag{true}); }

private:
    struct Flag {
        bool on;
    };
    std::vector<Flag> items;

    size_t check(long index) const {
        if (index < 0 || index >= static_cast<long>(items.size())) {
            mql_critical("array out of range");
        }
        return static_cast<size_t>(index);
    }
};

template <typename T>
int ArraySize(const Array<T> &array) {
    return array.size();
}

template <typename T>
int ArrayResize(Array<T> &array, int count) {
    if (count < 0) {
        return -1;
    }
    array.resize(count);
    return count;
}
