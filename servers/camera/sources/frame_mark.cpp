#include "servers/camera/sources/frame_mark.h"

#include <algorithm>
#include <limits>

namespace dmmap::camera {

namespace {

constexpr unsigned kAcross = 16;  // cells in a line
constexpr unsigned kMarkLines = 3;
constexpr unsigned kMarkLinesOf = 32;  // in the whole height
constexpr unsigned kBits = kAcross * kMarkLines;
constexpr unsigned kCheckBits = 16;
constexpr unsigned kLeastDrawn = 64;
constexpr unsigned kLeastRead = 32;
constexpr unsigned kLowerLine = kMarkLinesOf - kMarkLines;

constexpr std::uint8_t kBlack = 16;
constexpr std::uint8_t kWhite = 235;
// What is neither clearly black nor clearly white isn't a mark's cell.
constexpr unsigned kBlackBelow = 128 - 32;
constexpr unsigned kWhiteAbove = 128 + 32;

// CRC-16/CCITT-FALSE, most significant bit first: neither all black nor all white is a mark.
std::uint16_t check_of(std::uint32_t number) {
  constexpr unsigned kPolynomial = 0x1021;
  constexpr unsigned kTop = 0x8000;
  unsigned crc = std::numeric_limits<std::uint16_t>::max();
  for (unsigned bit = std::numeric_limits<std::uint32_t>::digits; bit-- > 0;) {
    const bool one = ((number >> bit) & 1U) != 0;
    const bool top = (crc & kTop) != 0;
    crc = (crc << 1U) & std::numeric_limits<std::uint16_t>::max();
    if (one != top) {
      crc ^= kPolynomial;
    }
  }
  return static_cast<std::uint16_t>(crc);
}

bool bit_at(std::uint64_t word, unsigned line, unsigned column) {
  return ((word >> (kBits - 1 - (line * kAcross + column))) & 1U) != 0;
}

struct Span {
  unsigned first = 0;
  unsigned beyond = 0;
};

// The pixel whose middle is at or after part `quarters` / 4 of a side that's divided into `parts`.
unsigned pixel_at(unsigned quarters, unsigned parts, unsigned side) {
  // x + 1/2 >= quarters * side / (4 * parts)
  return (quarters * side + 2 * parts - 1) / (4 * parts);
}

// The pixels whose middle is in part `index`.
Span part(unsigned index, unsigned parts, unsigned side) {
  return {pixel_at(index * 4, parts, side), pixel_at((index + 1) * 4, parts, side)};
}

// Those whose middle is in the middle half of the part; at least the one in which that half's own middle is.
Span middle(unsigned index, unsigned parts, unsigned side) {
  const Span half{pixel_at(index * 4 + 1, parts, side), pixel_at(index * 4 + 3, parts, side)};
  if (half.first < half.beyond) {
    return half;
  }
  const unsigned nearest = (index * 2 + 1) * side / (2 * parts);
  return {nearest, nearest + 1};
}

unsigned mean(const std::uint8_t* luma, std::ptrdiff_t stride, std::ptrdiff_t step, Span across, Span down) {
  unsigned sum = 0;
  for (unsigned y = down.first; y < down.beyond; ++y) {
    const std::uint8_t* const line = luma + static_cast<std::ptrdiff_t>(y) * stride;
    for (unsigned x = across.first; x < across.beyond; ++x) {
      sum += line[static_cast<std::ptrdiff_t>(x) * step];
    }
  }
  return sum / ((across.beyond - across.first) * (down.beyond - down.first));
}

void draw_line(std::uint8_t* line, unsigned width, std::ptrdiff_t step, std::uint64_t word, unsigned mark_line) {
  for (unsigned column = 0; column < kAcross; ++column) {
    const std::uint8_t luma = bit_at(word, mark_line, column) ? kWhite : kBlack;
    const Span across = part(column, kAcross, width);
    for (unsigned x = across.first; x < across.beyond; ++x) {
      line[static_cast<std::ptrdiff_t>(x) * step] = luma;
    }
  }
}

std::optional<std::uint32_t> read_at(unsigned first_line, const std::uint8_t* luma, std::ptrdiff_t stride, Size size,
                                     std::ptrdiff_t step) {
  std::uint64_t word = 0;
  for (unsigned line = 0; line < kMarkLines; ++line) {
    const Span down = middle(first_line + line, kMarkLinesOf, size.height);
    for (unsigned column = 0; column < kAcross; ++column) {
      const unsigned cell = mean(luma, stride, step, middle(column, kAcross, size.width), down);
      if (cell >= kBlackBelow && cell <= kWhiteAbove) {
        return std::nullopt;
      }
      word = (word << 1U) | (cell > kWhiteAbove ? 1U : 0U);
    }
  }
  const auto number = static_cast<std::uint32_t>(word >> kCheckBits);
  const auto check = static_cast<std::uint16_t>(word);
  return check == check_of(number) ? std::optional(number) : std::nullopt;
}

}  // namespace

unsigned mark_height(unsigned height) {
  return pixel_at(kMarkLines * 4, kMarkLinesOf, height);
}

bool has_room_for_mark(Size size) {
  return size.width >= kLeastDrawn && size.height >= kLeastDrawn;
}

void draw_frame_marks(std::uint8_t* luma, std::ptrdiff_t stride, Size size, std::uint32_t number, std::ptrdiff_t step) {
  const std::uint64_t word = (std::uint64_t{number} << kCheckBits) | check_of(number);
  for (const unsigned first_line : {0U, kLowerLine}) {
    for (unsigned line = 0; line < kMarkLines; ++line) {
      const Span down = part(first_line + line, kMarkLinesOf, size.height);
      for (unsigned y = down.first; y < down.beyond; ++y) {
        draw_line(luma + static_cast<std::ptrdiff_t>(y) * stride, size.width, step, word, line);
      }
    }
  }
}

FrameMarks read_frame_marks(const std::uint8_t* luma, std::ptrdiff_t stride, Size size, std::ptrdiff_t step) {
  if (size.width < kLeastRead || size.height < kLeastRead) {
    return {};
  }
  return {read_at(0, luma, stride, size, step), read_at(kLowerLine, luma, stride, size, step)};
}

std::optional<std::uint32_t> read_frame_mark(const std::uint8_t* luma, std::ptrdiff_t stride, Size size,
                                             std::ptrdiff_t step) {
  return read_frame_marks(luma, stride, size, step).whole();
}

}  // namespace dmmap::camera
