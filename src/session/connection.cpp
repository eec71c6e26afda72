#include <dmmap/connection.h>

#include "protocol/encode.h"

namespace dmmap {

BackingId::BackingId(std::int32_t number, std::function<void(std::int32_t)> close)
    : number_(number), close_(std::move(close)) {}

BackingId::~BackingId() {
  close_(number_);
}

namespace protocol {

std::int32_t backing_number(const BackingId& backing) {
  return backing.number();
}

}  // namespace protocol

}  // namespace dmmap
