// Files in a folder of the test's: Files is the terminal's own, Common what all terminals share.
#pragma once

#include <filesystem>

#include "terminal.hpp"

const int FILE_READ = 1;
const int FILE_WRITE = 2;
const int FILE_BIN = 4;
const int FILE_REWRITE = 512;
const int FILE_COMMON = 4096;
const int INVALID_HANDLE = -1;

inline std::map<int, std::FILE *> mql_files;

// MetaTrader lets nobody out of the folder.
inline std::string mql_path(const string &name, int flags) {
    std::string path = name.utf8();
    for (char &c : path) {
        c = c == '\\' ? '/' : c;
    }
    if (path.empty() || path[0] == '/' || path.find("..") != std::string::npos) {
        mql_critical("a file outside of the sandbox");
    }
    return mql_terminal.root + (flags & FILE_COMMON ? "/Common/" : "/Files/") + path;
}

inline int FileOpen(const string &name, int flags) {
    static int last = 0;
    const std::string path = mql_path(name, flags);
    if (flags & FILE_WRITE) {
        if (mql_terminal.disk_full) {
            mql_error = 5004;
            return INVALID_HANDLE;
        }
        std::filesystem::create_directories(std::filesystem::path(path).parent_path());
    }
    std::FILE *file = std::fopen(path.c_str(), flags & FILE_WRITE ? "wb" : "rb");
    if (!file) {
        mql_error = 5004;
        return INVALID_HANDLE;
    }
    mql_files[++last] = file;
    return last;
}

inline std::FILE *mql_file(int handle) {
    const auto found = mql_files.find(handle);
    if (found == mql_files.end()) {
        mql_critical("a file handle that is not open");
    }
    return found->second;
}

inline void FileClose(int handle) {
    std::fclose(mql_file(handle));
    mql_files.erase(handle);
}

inline ulong FileSize(int handle) {
    std::FILE *file = mql_file(handle);
    const long at = std::ftell(file);
    std::fseek(file, 0, SEEK_END);
    const long size = std::ftell(file);
    std::fseek(file, at, SEEK_SET);
    return static_cast<ulong>(size);
}

inline uint FileReadArray(int handle, Array<uchar> &array) {
    std::FILE *file = mql_file(handle);
    const int count = static_cast<int>(FileSize(handle)) - static_cast<int>(std::ftell(file));
    ArrayResize(array, count);
    for (int i = 0; i < count; i++) {
        array[i] = static_cast<uchar>(std::fgetc(file));
    }
    return static_cast<uint>(count);
}

inline uint FileWriteArray(int handle, const Array<uchar> &array) {
    std::FILE *file = mql_file(handle);
    for (int i = 0; i < array.size(); i++) {
        std::fputc(array[i], file);
    }
    return static_cast<uint>(array.size());
}

inline bool FileIsExist(const string &name, int common = 0) { return std::filesystem::is_regular_file(mql_path(name, common)); }

inline bool FileDelete(const string &name, int common = 0) {
    std::error_code error;
    return std::filesystem::remove(mql_path(name, common), error);
}

inline bool FileMove(const string &from, int common, const string &to, int mode) {
    const std::string target = mql_path(to, mode);
    if (std::filesystem::exists(target) && !(mode & FILE_REWRITE)) {
        mql_error = 5019;
        return false;
    }
    std::error_code error;
    std::filesystem::rename(mql_path(from, common), target, error);
    return !error;
}
