#include "servers/camera/sources/yuyv.h"

#include <algorithm>
#include <array>
#include <cstring>

namespace dmmap::camera {

namespace {

constexpr unsigned kColumns = 5;
constexpr unsigned kLines = 7;
using Glyph = std::array<std::uint8_t, kLines>;

constexpr std::array<Glyph, kGlyphs.size()> kGlyphLines{{
    {0b01110, 0b10001, 0b10011, 0b10101, 0b11001, 0b10001, 0b01110},
    {0b00100, 0b01100, 0b00100, 0b00100, 0b00100, 0b00100, 0b01110},
    {0b01110, 0b10001, 0b00001, 0b00110, 0b01000, 0b10000, 0b11111},
    {0b11111, 0b00010, 0b00100, 0b00010, 0b00001, 0b10001, 0b01110},
    {0b00010, 0b00110, 0b01010, 0b10010, 0b11111, 0b00010, 0b00010},
    {0b11111, 0b10000, 0b11110, 0b00001, 0b00001, 0b10001, 0b01110},
    {0b00110, 0b01000, 0b10000, 0b11110, 0b10001, 0b10001, 0b01110},
    {0b11111, 0b00001, 0b00010, 0b00100, 0b01000, 0b01000, 0b01000},
    {0b01110, 0b10001, 0b10001, 0b01110, 0b10001, 0b10001, 0b01110},
    {0b01110, 0b10001, 0b10001, 0b01111, 0b00001, 0b00010, 0b01100},
    {0b00000, 0b00100, 0b00000, 0b00000, 0b00000, 0b00100, 0b00000},
    {0b00000, 0b00000, 0b00000, 0b00000, 0b00000, 0b01100, 0b01100},
    {},
}};

// A pixel without a hue: luma, and the half of a pair's chroma that is stored with it.
void grey(std::uint8_t* at, std::size_t pixels, std::uint8_t luma) {
  constexpr std::uint8_t kNeutral = 128;
  for (std::size_t i = 0; i < pixels; ++i) {
    at[2 * i] = luma;
    at[2 * i + 1] = kNeutral;
  }
}

}  // namespace

const std::uint8_t* glyph(char character) {
  const std::size_t found = kGlyphs.find(character);
  return kGlyphLines[std::min(found, kGlyphs.size() - 1)].data();
}

void Yuyv::fill(Rectangle area, Colour colour) {
  if (area.width == 0 || area.height == 0) {
    return;
  }
  constexpr std::size_t kPair = 4;
  const std::size_t pairs = (area.width + 1) / 2;
  std::uint8_t* const first = at(area.x, area.y);
  for (std::size_t i = 0; i < pairs; ++i) {
    const std::array<std::uint8_t, kPair> pair{colour.y, colour.u, colour.y, colour.v};
    std::memcpy(first + i * kPair, pair.data(), kPair);
  }
  for (unsigned y = 1; y < area.height; ++y) {
    std::memcpy(at(area.x, area.y + y), first, pairs * kPair);
  }
}

void Yuyv::cells(Rectangle area, const std::vector<std::uint8_t>& cells, unsigned across, unsigned scale, Colour ones,
                 Colour rest) {
  const std::size_t bytes = std::size_t{area.width} * 2;
  const unsigned columns = std::min(across, area.width / scale);
  for (unsigned y = 0; y < area.height; ++y) {
    std::uint8_t* const line = at(area.x, area.y + y);
    const std::size_t first = std::size_t{y / scale} * across;
    if (y % scale != 0) {
      std::memcpy(line, at(area.x, area.y + y - 1), bytes);
      continue;
    }
    grey(line, area.width, rest.y);
    if (first + across > cells.size()) {
      continue;
    }
    for (unsigned column = 0; column < columns; ++column) {
      if ((cells[first + column] & 1U) != 0) {
        grey(line + std::size_t{column} * scale * 2, scale, ones.y);
      }
    }
  }
}

void Yuyv::text(Rectangle area, std::string_view text, unsigned scale) {
  const std::size_t room = area.width / scale / kGlyphAcross;
  text.remove_prefix(text.size() - std::min(text.size(), room));
  const auto across = static_cast<unsigned>(text.size()) * kGlyphAcross;
  std::vector<std::uint8_t> pixels(std::size_t{across} * kGlyphDown);
  for (std::size_t i = 0; i < text.size(); ++i) {
    const std::uint8_t* const lines = glyph(text[i]);
    for (unsigned line = 0; line < kLines; ++line) {
      for (unsigned column = 0; column < kColumns; ++column) {
        const unsigned bit = (unsigned{lines[line]} >> (kColumns - 1 - column)) & 1U;
        pixels[(line + 1) * std::size_t{across} + i * kGlyphAcross + 1 + column] = static_cast<std::uint8_t>(bit);
      }
    }
  }
  cells(area, pixels, across, scale, kWhite, kBlack);
}

}  // namespace dmmap::camera
