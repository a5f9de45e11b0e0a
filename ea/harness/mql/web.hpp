// WebRequest over a plain socket to this machine, with the terminal's rules: a list of addresses, a time limit, nothing in
// the tester. Whoever breaks a rule that a real terminal would only punish by hanging is reported as a violation.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>

#include "globals.hpp"

#ifdef __MQL5__
const int MQL_ERROR_NOT_LISTED = 4014;
#else
const int MQL_ERROR_NOT_LISTED = 4060;
#endif
const int MQL_ERROR_CONNECT = 5201;
const int MQL_ERROR_TIMEOUT = 5202;
const int MQL_ERROR_REQUEST = 5203;

// A connection with a deadline for everything.
class MqlSocket {
public:
    explicit MqlSocket(int timeout_ms)
        : handle(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0)),
          deadline(std::chrono::steady_clock::now() + std::chrono::milliseconds(timeout_ms)) {}
    ~MqlSocket() { close(handle); }
    MqlSocket(const MqlSocket &) = delete;
    MqlSocket &operator=(const MqlSocket &) = delete;

    bool open(int port) {
        sockaddr_in address = {};
        address.sin_family = AF_INET;
        address.sin_port = htons(static_cast<uint16_t>(port));
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        if (connect(handle, reinterpret_cast<sockaddr *>(&address), sizeof address) == 0) {
            return true;
        }
        int fault = 0;
        socklen_t size = sizeof fault;
        return wait(POLLOUT) && getsockopt(handle, SOL_SOCKET, SO_ERROR, &fault, &size) == 0 && fault == 0;
    }

    bool send_all(const std::string &bytes) {
        for (size_t at = 0; at < bytes.size();) {
            const ssize_t sent = wait(POLLOUT) ? send(handle, bytes.data() + at, bytes.size() - at, MSG_NOSIGNAL) : -1;
            if (sent <= 0) {
                return false;
            }
            at += static_cast<size_t>(sent);
        }
        return true;
    }

    // Reads on; false at the end, at the deadline and at a fault.
    bool receive(std::string &bytes) {
        char part[4096];
        const ssize_t count = wait(POLLIN) ? recv(handle, part, sizeof part, 0) : -1;
        if (count <= 0) {
            return false;
        }
        bytes.append(part, static_cast<size_t>(count));
        return true;
    }

    bool timed_out = false;

private:
    int handle;
    std::chrono::steady_clock::time_point deadline;

    bool wait(short what) {
        const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
        pollfd entry = {handle, what, 0};
        timed_out = left.count() <= 0 || poll(&entry, 1, static_cast<int>(left.count())) == 0;
        return !timed_out && !(entry.revents & (POLLERR | POLLNVAL));
    }
};

inline std::string mql_header(const std::string &head, const std::string &name) {
    for (size_t at = head.find("\r\n"); at != std::string::npos; at = head.find("\r\n", at + 2)) {
        if (strncasecmp(head.c_str() + at + 2, (name + ":").c_str(), name.size() + 1) == 0) {
            const size_t from = head.find_first_not_of(' ', at + 3 + name.size());
            return head.substr(from, head.find("\r\n", from) - from);
        }
    }
    return "";
}

// The whole answer; empty when it did not come as it should.
inline std::string mql_exchange(MqlSocket &connection, const std::string &request) {
    std::string answer;
    if (!connection.send_all(request)) {
        return "";
    }
    size_t end = std::string::npos;
    while (end == std::string::npos) {
        if (!connection.receive(answer)) {
            return "";
        }
        end = answer.find("\r\n\r\n");
    }
    const std::string length = mql_header(answer.substr(0, end + 2), "content-length");
    const size_t whole = end + 4 + static_cast<size_t>(std::atol(length.c_str()));
    while (answer.size() < whole && connection.receive(answer)) {
    }
    return length.empty() || answer.size() < whole ? "" : answer.substr(0, whole);
}

inline bool mql_listed(const std::string &origin) {
    for (const std::string &allowed : mql_terminal.allowed) {
        if (allowed == origin) {
            return true;
        }
    }
    return false;
}

inline int WebRequest(const string &method, const string &url, const string &headers, int timeout, const Array<char> &data,
                      Array<char> &result, string &result_headers) {
    const std::string address = url.utf8(), verb = method.utf8();
    const size_t host_at = address.find("://") + 3, path_at = address.find('/', host_at);
    const std::string host = address.substr(host_at, path_at - host_at);
    ArrayResize(result, 0);
    result_headers = _S("");
    if (mql_terminal.tester) {
        mql_violation("WebRequest in the tester");
    }
    if (mql_terminal.in_tick) {
        mql_violation("WebRequest while a quote waits");
    }
    if (address.size() > 1024 || (verb != "GET" && verb != "POST")) {
        mql_violation("an address of " + std::to_string(address.size()) + " characters, method " + verb);
    }
    if (mql_terminal.tester || !mql_listed(address.substr(0, path_at))) {
        mql_error = MQL_ERROR_NOT_LISTED;
        return -1;
    }
    std::string body;
    for (int i = 0; i < data.size(); i++) {
        body += data[i];
    }
    const size_t colon = host.find(':');
    const int port = colon == std::string::npos ? 80 : std::atoi(host.c_str() + colon + 1);
    const auto began = std::chrono::steady_clock::now();
    MqlSocket connection(timeout);
    std::string answer;
    const bool reached = connection.open(port);
    if (reached) {
        answer = mql_exchange(connection, verb + " " + address.substr(path_at) + " HTTP/1.1\r\nHost: " + host +
                                              "\r\nUser-Agent: MetaTrader harness\r\nConnection: close\r\n" + headers.utf8() +
                                              "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body);
    }
    const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - began).count();
    const int status = answer.empty() ? 0 : std::atoi(answer.c_str() + answer.find(' '));
    mql_say("web", std::to_string(status) + " " + std::to_string(took) + " " + verb + " " + address);
    if (answer.empty()) {
        mql_error = connection.timed_out ? MQL_ERROR_TIMEOUT : reached ? MQL_ERROR_REQUEST : MQL_ERROR_CONNECT;
        // Newer terminals return such numbers instead of -1.
        return reached ? -1 : 1001;
    }
    const size_t end = answer.find("\r\n\r\n");
    result_headers = string::of(answer.substr(0, end + 2));
    ArrayResize(result, static_cast<int>(answer.size() - end - 4));
    for (int i = 0; i < result.size(); i++) {
        result[i] = answer[end + 4 + static_cast<size_t>(i)];
    }
    return status;
}
