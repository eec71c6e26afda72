#include "servers/sound/control/status_json.h"

#include <nlohmann/json.hpp>

#include <cerrno>

namespace dmmap::sound {

namespace {

using Json = nlohmann::json;

constexpr const char* kServer = "dmmap sound";
constexpr const char* kUnderruns = "underruns";
constexpr const char* kOverruns = "overruns";

std::string text_of(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Json to_json(const Level& level) {
  return {{"left", level.left}, {"right", level.right}, {"muted", level.muted}};
}

Json to_json(const std::optional<HalfStatus>& half, const char* xruns) {
  if (!half) {
    return nullptr;
  }
  return {{"format",
           {{"encoding", name_of(half->format.encoding)},
            {"rate", half->format.rate},
            {"channels", half->format.channels}}},
          {"path", half->path},
          {"running", half->running},
          {"frames", half->frames},
          {"seconds", half->seconds},
          {"ring_bytes", half->ring},
          {"fill_bytes", half->fill},
          {xruns, half->xruns},
          {"slips", half->slips},
          {"level", to_json(half->level)}};
}

Json to_json(const CardTotals& totals) {
  return {{"streams", totals.streams},
          {kUnderruns, totals.underruns},
          {kOverruns, totals.overruns},
          {"slips", totals.slips}};
}

// These throw Json::exception, which status_of() catches.
Level level_from(const Json& json) {
  return {json.at("left").get<unsigned>(), json.at("right").get<unsigned>(), json.at("muted").get<bool>()};
}

CardTotals totals_from(const Json& json) {
  return {json.at("streams").get<std::uint64_t>(), json.at(kUnderruns).get<std::uint64_t>(),
          json.at(kOverruns).get<std::uint64_t>(), json.at("slips").get<std::uint64_t>()};
}

Encoding encoding_from(const std::string& name) {
  for (std::size_t i = 0; i < kEncodings; ++i) {
    const auto encoding = static_cast<Encoding>(i);
    if (name == name_of(encoding)) {
      return encoding;
    }
  }
  throw Json::other_error::create(0, "unknown encoding", nullptr);
}

std::optional<HalfStatus> half_from(const Json& json, const char* xruns) {
  if (json.is_null()) {
    return std::nullopt;
  }
  const Json& format = json.at("format");
  return HalfStatus{
      .format = {encoding_from(format.at("encoding").get<std::string>()), format.at("rate").get<unsigned>(),
                 format.at("channels").get<unsigned>()},
      .path = json.at("path").get<std::string>(),
      .running = json.at("running").get<bool>(),
      .frames = json.at("frames").get<std::uint64_t>(),
      .seconds = json.at("seconds").get<double>(),
      .ring = json.at("ring_bytes").get<std::uint64_t>(),
      .fill = json.at("fill_bytes").get<std::uint64_t>(),
      .xruns = json.at(xruns).get<std::uint64_t>(),
      .slips = json.at("slips").get<std::uint64_t>(),
      .level = level_from(json.at("level")),
  };
}

StreamStatus stream_from(const Json& json) {
  return {.number = json.at("number").get<std::uint64_t>(),
          .program = json.at("program").get<std::string>(),
          .pid = json.at("pid").get<std::uint32_t>(),
          .device = json.at("device").get<std::string>(),
          .playback = half_from(json.at("playback"), kUnderruns),
          .recording = half_from(json.at("recording"), kOverruns)};
}

}  // namespace

std::string json_of(const CardStatus& status) {
  Json json{
      {"server", kServer},
      {"levels",
       {{"master", to_json(status.master)}, {"pcm", to_json(status.pcm)}, {"recording", to_json(status.recording)}}},
      {"totals", to_json(status.totals)},
      {"streams", Json::array()}};
  for (const StreamStatus& each : status.streams) {
    json["streams"].push_back({{"number", each.number},
                               {"program", each.program},
                               {"pid", each.pid},
                               {"device", each.device},
                               {"playback", to_json(each.playback, kUnderruns)},
                               {"recording", to_json(each.recording, kOverruns)}});
  }
  return text_of(json) + "\n";
}

Result<CardStatus> status_of(std::string_view json) {
  try {
    const Json parsed = Json::parse(json);
    if (parsed.at("server") != kServer) {
      return fail(EPROTO, "not the status of a sound server");
    }
    const Json& levels = parsed.at("levels");
    CardStatus status{level_from(levels.at("master")),
                      level_from(levels.at("pcm")),
                      level_from(levels.at("recording")),
                      totals_from(parsed.at("totals")),
                      {}};
    for (const Json& each : parsed.at("streams")) {
      status.streams.push_back(stream_from(each));
    }
    return status;
  } catch (const Json::exception&) {
    return fail(EPROTO, "not the status of a sound server, or of a version that this one doesn't understand");
  }
}

std::string valid_utf8(const std::string& text) {
  return Json::parse(text_of(text)).get<std::string>();
}

}  // namespace dmmap::sound
