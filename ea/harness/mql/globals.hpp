// Global variables of the terminal: all of its charts share them. Each chart is a process here, so that they are files.
#pragma once

#include <sys/file.h>

#include "files.hpp"

// The variable's file, locked until this ends.
class MqlGlobal {
public:
    explicit MqlGlobal(const string &name, bool made = false) {
        if (name.length() == 0 || name.length() > 63) {
            mql_critical("a global variable whose name has more than 63 characters");
        }
        const std::string folder = mql_terminal.root + "/Globals/";
        std::filesystem::create_directories(folder);
        file = std::fopen((folder + name.utf8()).c_str(), "r+");
        if (!file && made) {
            file = std::fopen((folder + name.utf8()).c_str(), "w+");
        }
        if (file) {
            flock(fileno(file), LOCK_EX);
        } else {
            mql_error = 4501;
        }
    }
    ~MqlGlobal() {
        if (file) {
            std::fclose(file);
        }
    }
    MqlGlobal(const MqlGlobal &) = delete;
    MqlGlobal &operator=(const MqlGlobal &) = delete;

    bool there() const { return file; }
    double get() const {
        double value = 0;
        std::rewind(file);
        return std::fscanf(file, "%lf", &value) == 1 ? value : 0;
    }
    void set(double value) {
        // Always as long, so that nothing is cut off: a file system writes one that was cut to the disk at once.
        std::rewind(file);
        std::fprintf(file, "%20.0f", value);
        std::fflush(file);
    }

private:
    std::FILE *file;
};

inline bool GlobalVariableTemp(const string &name) { return MqlGlobal(name, true).there(); }

inline double GlobalVariableGet(const string &name) {
    const MqlGlobal global(name);
    return global.there() ? global.get() : 0;
}

inline bool GlobalVariableSetOnCondition(const string &name, double value, double wanted) {
    MqlGlobal global(name);
    if (!global.there() || global.get() < wanted || global.get() > wanted) {
        return false;
    }
    global.set(value);
    return true;
}

// Time stands still in a test but for this.
inline void Sleep(int milliseconds) {
    if (mql_terminal.in_tick) {
        mql_violation("Sleep while a quote waits");
    }
    mql_terminal.ticks += static_cast<ulong>(milliseconds);
}
