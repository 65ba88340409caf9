#include "proto/endpoint.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <memory>
#include <system_error>

#include "kernels/base/quoted.h"

namespace bitpilot {
namespace {

constexpr std::string_view kScheme = "tcp://";
constexpr std::size_t kMaxHostBytes = 253;  // RFC 1035, less the last dot.
#ifdef BITPILOT_NUMERIC_HOSTS
constexpr bool kNumericHosts = true;
#else
constexpr bool kNumericHosts = false;
#endif

Status BadEndpoint(std::string_view text, const std::string& expected) {
  return InvalidArgument("expected " + expected + ", got " + Quoted(text));
}

bool IsName(std::string_view host) {
  return !host.empty() && host.size() <= kMaxHostBytes &&
         std::all_of(host.begin(), host.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  c == '-' || c == '.' || c == '_';
         });
}

// With or without the interface of a link-local one: fe80::1%eth0.
bool IsIpv6(std::string_view host) {
  const std::string address(host.substr(0, host.find('%')));
  in6_addr parsed{};
  return inet_pton(AF_INET6, address.c_str(), &parsed) == 1;
}

}  // namespace

std::string ToString(const Endpoint& endpoint) {
  const std::string host = endpoint.is_ipv6() ? "[" + endpoint.host + "]" : endpoint.host;
  return std::string(kScheme) + host + ":" + std::to_string(endpoint.port);
}

Result<Endpoint> ParseEndpoint(std::string_view text, EndpointUse use) {
  const std::string usual = use == EndpointUse::kListen
                                ? "tcp://ADDRESS:PORT like tcp://0.0.0.0:7777 or tcp://[::]:7777"
                                : "tcp://HOST:PORT like tcp://192.0.2.7:7777";
  const std::size_t colon = text.rfind(':');
  if (!text.starts_with(kScheme) || colon < kScheme.size()) return BadEndpoint(text, usual);
  std::string_view host = text.substr(kScheme.size(), colon - kScheme.size());
  const bool in_brackets = host.starts_with('[') && host.ends_with(']') && host.size() > 2;
  if (in_brackets) host = host.substr(1, host.size() - 2);
  if (!in_brackets && host.find(':') != std::string_view::npos) {
    return BadEndpoint(text, "an IPv6 address in brackets and a port, like tcp://[::1]:7777");
  }
  const bool is_all = use == EndpointUse::kListen && host == "*";
  if (in_brackets ? !IsIpv6(host) : !IsName(host) && !is_all) return BadEndpoint(text, usual);

  const std::string_view digits = text.substr(colon + 1);
  const int least = use == EndpointUse::kListen ? 0 : 1;
  int port = -1;
  const auto [rest, error] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
  if (error != std::errc() || rest != digits.data() + digits.size() || port < least ||
      port > 65'535) {
    return BadEndpoint(text, "a port in [" + std::to_string(least) + ", 65535]");
  }
  return Endpoint{is_all ? "0.0.0.0" : std::string(host), static_cast<std::uint16_t>(port)};
}

Result<std::vector<Endpoint>> ResolveEndpoint(const Endpoint& endpoint) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  if (kNumericHosts) hints.ai_flags = AI_NUMERICHOST;
  addrinfo* list = nullptr;
  const int error = getaddrinfo(endpoint.host.c_str(), nullptr, &hints, &list);
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> owner(list, &freeaddrinfo);
  if (kNumericHosts && error == EAI_NONAME) {
    return InvalidArgument("host " + Quoted(endpoint.host) +
                           ": this is the static program, which asks no name service; expected a "
                           "numeric address like 192.0.2.7 or [2001:db8::7]");
  }
  if (error == EAI_AGAIN || error == EAI_SYSTEM || error == EAI_MEMORY) {
    return Status(StatusCode::kUnavailable,
                  "cannot look up host " + Quoted(endpoint.host) + " now: " + gai_strerror(error));
  }
  std::vector<Endpoint> addresses;
  for (const addrinfo* one = error == 0 ? list : nullptr; one != nullptr; one = one->ai_next) {
    std::array<char, NI_MAXHOST> text{};
    if (getnameinfo(one->ai_addr, one->ai_addrlen, text.data(), text.size(), nullptr, 0,
                    NI_NUMERICHOST) != 0) {
      continue;
    }
    Endpoint address{text.data(), endpoint.port};
    if (std::find(addresses.begin(), addresses.end(), address) == addresses.end()) {
      addresses.push_back(std::move(address));
    }
  }
  if (!addresses.empty()) return addresses;
  return Status(StatusCode::kNotFound,
                "unknown host " + Quoted(endpoint.host) +
                    (error == 0 ? "" : std::string(": ") + gai_strerror(error)));
}

}  // namespace bitpilot
