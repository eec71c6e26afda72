// Tries one message as every kind of request, in every dialect, and touches all that came out of it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "protocol/decode.h"
#include "protocol/each_type.h"
#include "protocol/print.h"

namespace dmmap::protocol {

inline std::size_t touch(std::string_view text) {
  std::size_t sum = text.size();
  for (const char c : text) {
    sum += static_cast<unsigned char>(c);
  }
  return sum;
}

inline std::size_t touch(std::span<const std::byte> bytes) {
  return touch(std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
}

/// 0 when `message` isn't an R, else a number that depends on every byte that the request refers to.
template <class R>
std::size_t decode_and_touch(const Envelope& envelope, const Dialect& dialect) {
  const auto request = decode<R>(envelope, dialect);
  if (!request) {
    return 0;
  }
  std::size_t sum = 1 + touch(describe(*request));
  if constexpr (requires { request->name; }) {
    sum += touch(request->name);
  }
  if constexpr (requires { request->data; }) {
    sum += touch(request->data);
  }
  if constexpr (requires { request->value; }) {
    sum += touch(request->value);
  }
  if constexpr (requires { request->input; }) {
    sum += touch(request->input);
  }
  return sum;
}

inline std::size_t decode_everything(std::span<const std::byte> message) {
  const auto envelope = open_envelope(message);
  if (!envelope) {
    return 0;
  }
  std::size_t sum = 0;
  for (const bool newer : {false, true}) {
    const Dialect dialect{
        .minor = newer ? 45U : 31U, .setxattr_ext = newer, .security_ctx = newer, .create_supp_group = newer};
#define DMMAP_TRY(R) sum += decode_and_touch<R>(*envelope, dialect);
    DMMAP_EACH_REQUEST(DMMAP_TRY)
#undef DMMAP_TRY
  }
  return sum;
}

}  // namespace dmmap::protocol
