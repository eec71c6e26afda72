#include "servers/sound/control/control_command.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <optional>

namespace dmmap::sound {

namespace {

constexpr unsigned kLoudest = 100;  // percent

struct ControlName {
  std::string_view name;
  Control control;
};
constexpr std::array<ControlName, kControls> kControlNames{
    {{"master", Control::master}, {"pcm", Control::pcm}, {"recording", Control::recording}}};

struct KindName {
  std::string_view name;
  ControlCommand::Kind kind;
};
constexpr std::array<KindName, 3> kKindNames{{{"volume", ControlCommand::Kind::volume},
                                              {"mute", ControlCommand::Kind::mute},
                                              {"unmute", ControlCommand::Kind::unmute}}};

// Digits and nothing else.
template <class T>
std::optional<T> number_of(std::string_view text) {
  T value{};
  const char* const end = text.data() + text.size();
  const auto parsed = std::from_chars(text.data(), end, value);
  return parsed.ec == std::errc() && parsed.ptr == end ? std::optional(value) : std::nullopt;
}

std::vector<std::string_view> words_of(std::string_view line) {
  constexpr std::string_view kBlanks = " \t";
  std::vector<std::string_view> words;
  for (;;) {
    const std::size_t begin = line.find_first_not_of(kBlanks);
    if (begin == std::string_view::npos) {
      return words;
    }
    const std::size_t end = std::min(line.find_first_of(kBlanks, begin), line.size());
    words.push_back(line.substr(begin, end - begin));
    line.remove_prefix(end);
  }
}

std::string name_of(const LevelTarget& target) {
  if (const auto* stream = std::get_if<StreamNumber>(&target)) {
    return fmt::format("{}", stream->value);
  }
  const auto* const found = std::find_if(kControlNames.begin(), kControlNames.end(), [&](const ControlName& each) {
    return each.control == std::get<Control>(target);
  });
  return std::string(found->name);
}

}  // namespace

Result<LevelTarget> parse_target(std::string_view text) {
  for (const ControlName& each : kControlNames) {
    if (text == each.name) {
      return each.control;
    }
  }
  if (const auto number = number_of<std::uint64_t>(text)) {
    return StreamNumber{*number};
  }
  return fail(EINVAL, fmt::format("'{}' has no level: say master, pcm, recording or a stream's number", text));
}

Result<unsigned> parse_percent(std::string_view text) {
  const auto percent = number_of<unsigned>(text);
  if (!percent || *percent > kLoudest) {
    return fail(EINVAL, fmt::format("a level has to be 0 to {} percent, not '{}'", kLoudest, text));
  }
  return *percent;
}

Result<ControlCommand> parse_command(std::string_view line) {
  const auto words = words_of(line);
  const auto* const kind = std::find_if(kKindNames.begin(), kKindNames.end(), [&](const KindName& each) {
    return !words.empty() && words.front() == each.name;
  });
  if (kind == kKindNames.end()) {
    return fail(EINVAL, "there's no such command: say volume, mute or unmute");
  }
  const bool volume = kind->kind == ControlCommand::Kind::volume;
  const std::size_t fewest = volume ? 3 : 2;
  const std::size_t most = volume ? 4 : 2;
  if (words.size() < fewest || words.size() > most) {
    return fail(EINVAL, volume ? "say volume TARGET LEFT [RIGHT]" : fmt::format("say {} TARGET", kind->name));
  }
  const auto target = parse_target(words[1]);
  if (!target) {
    return tl::unexpected(target.error());
  }
  ControlCommand command{kind->kind, *target, 0, 0};
  if (volume) {
    const auto left = parse_percent(words[2]);
    const auto right = parse_percent(words.back());
    if (!left || !right) {
      return tl::unexpected(left ? right.error() : left.error());
    }
    command.left = *left;
    command.right = *right;
  }
  return command;
}

Result<std::vector<ControlCommand>> parse_commands(std::string_view text) {
  std::vector<ControlCommand> commands;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    if (const std::string_view line = text.substr(0, end); !words_of(line).empty()) {
      const auto command = parse_command(line);
      if (!command) {
        return tl::unexpected(command.error());
      }
      commands.push_back(*command);
    }
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return commands;
}

std::string line_of(const ControlCommand& command) {
  const auto* const kind = std::find_if(kKindNames.begin(), kKindNames.end(),
                                        [&](const KindName& each) { return each.kind == command.kind; });
  std::string line = fmt::format("{} {}", kind->name, name_of(command.target));
  if (command.kind == ControlCommand::Kind::volume) {
    line += fmt::format(" {} {}", command.left, command.right);
  }
  return line;
}

Result<void> carry_out(const ControlCommand& command, CardControl& card) {
  if (command.kind == ControlCommand::Kind::volume) {
    return card.set_level(command.target, command.left, command.right);
  }
  return card.set_muted(command.target, command.kind == ControlCommand::Kind::mute);
}

}  // namespace dmmap::sound
