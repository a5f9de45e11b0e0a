// The loop of a terminal that a test drives: a command a line, then what happened, then `done`.
#pragma once

#include <iostream>
#include <sstream>

#include "trade.hpp"

// What the translated EA has; a handler it does not have is empty.
struct MqlProgram {
    int (*init)();
    void (*deinit)(int);
    void (*tick)();
    void (*timer)();
    void (*start)();
    void (*chart_event)(int, const long &, const double &, const string &);
    bool (*input)(const std::string &, const std::string &);
};

inline void mql_pass(long seconds) {
    mql_terminal.truth += seconds;
    mql_terminal.computer += seconds;
    mql_terminal.ticks += static_cast<ulong>(seconds) * 1000;
}

inline void mql_quote(const MqlProgram &program, double bid) {
    mql_terminal.bid = bid;
    mql_terminal.last_quote = mql_terminal.truth + mql_terminal.broker;
    if (program.tick) {
        mql_terminal.in_tick = true;
        program.tick();
        mql_terminal.in_tick = false;
    }
}

// Settings of the terminal. False for what is none.
inline bool mql_set(const std::string &name, const std::string &value) {
    MqlTerminal &terminal = mql_terminal;
    if (name == "time") {
        terminal.truth = terminal.computer = std::atol(value.c_str());
    } else if (name == "computer") {
        terminal.computer += std::atol(value.c_str());
    } else if (name == "ticks") {
        terminal.ticks = std::strtoul(value.c_str(), nullptr, 10);
    } else if (name == "broker") {
        terminal.broker = std::atol(value.c_str());
    } else if (name == "login") {
        terminal.login = std::atol(value.c_str());
    } else if (name == "server") {
        terminal.server = string::of(value);
    } else if (name == "kind") {
        terminal.mode = value == "live" ? ACCOUNT_TRADE_MODE_REAL : ACCOUNT_TRADE_MODE_DEMO;
    } else if (name == "memory") {
        terminal.memory = std::atol(value.c_str());
    } else if (name == "tester") {
        terminal.tester = value == "true";
    } else if (name == "disk-full") {
        terminal.disk_full = value == "true";
    } else if (name == "allow") {
        terminal.allowed.push_back(value);
    } else if (name == "forbid") {
        terminal.allowed.clear();
    } else {
        return false;
    }
    return true;
}

inline bool mql_command(const MqlProgram &program, const std::string &line) {
    std::istringstream words(line);
    std::string verb, name, rest;
    words >> verb;
    std::getline(words >> std::ws, rest);
    std::istringstream more(rest);
    more >> name;
    std::string value;
    std::getline(more >> std::ws, value);
    if (verb == "set") {
        return mql_set(name, value);
    }
    if (verb == "input") {
        return program.input(name, value);
    }
    if (verb == "init") {
        mql_say("init", std::to_string(program.init ? program.init() : 0));
    } else if (verb == "start" && program.start) {
        program.start();
    } else if (verb == "deinit" && program.deinit) {
        program.deinit(std::atoi(rest.c_str()));
    } else if (verb == "tick") {
        mql_quote(program, std::atof(rest.c_str()));
    } else if (verb == "event" && program.chart_event) {
        program.chart_event(1000, 0, 0.0, string::of(rest));
    } else if (verb == "skip") {
        mql_pass(std::atol(rest.c_str()));
    } else if (verb == "run") {
        for (long left = std::atol(rest.c_str()); left > 0; left--) {
            mql_pass(1);
            if (mql_terminal.timer && program.timer) {
                program.timer();
            }
        }
    } else {
        return false;
    }
    return true;
}

inline int mql_drive(const MqlProgram &program, int count, char **arguments) {
    mql_terminal.root = count > 1 ? arguments[1] : ".";
    std::string line;
    while (std::getline(std::cin, line)) {
        const bool known = mql_command(program, line);
        std::puts(known ? "done" : "done unknown");
        std::fflush(stdout);
    }
    return 0;
}
