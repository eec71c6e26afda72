#include "servers/camera/control/status_json.h"

#include <nlohmann/json.hpp>

#include <cerrno>

namespace dmmap::camera {

namespace {

using Json = nlohmann::json;

constexpr const char* kServer = "dmmap camera";

Json to_json(const DeviceStatus& device) {
  return {{"device", device.device},     {"card", device.card},        {"width", device.width},
          {"height", device.height},     {"rate", device.rate},        {"running", device.running},
          {"pictures", device.pictures}, {"left_out", device.left_out}};
}

Json to_json(const StreamStatus& stream) {
  return {{"number", stream.number},
          {"program", stream.program},
          {"pid", stream.pid},
          {"device", stream.device},
          {"state", stream.state},
          {"path", stream.path},
          {"format", stream.format},
          {"width", stream.width},
          {"height", stream.height},
          {"rate", stream.rate},
          {"buffers", stream.buffers},
          {"queued", stream.queued},
          {"pictures", stream.counts.pictures},
          {"dropped", stream.counts.dropped},
          {"latency_mean_ms", stream.counts.latency_mean},
          {"latency_most_ms", stream.counts.latency_most}};
}

// These throw Json::exception, which status_of() catches.
DeviceStatus device_from(const Json& json) {
  DeviceStatus device;
  json.at("device").get_to(device.device);
  json.at("card").get_to(device.card);
  json.at("width").get_to(device.width);
  json.at("height").get_to(device.height);
  json.at("rate").get_to(device.rate);
  json.at("running").get_to(device.running);
  json.at("pictures").get_to(device.pictures);
  json.at("left_out").get_to(device.left_out);
  return device;
}

StreamStatus stream_from(const Json& json) {
  StreamStatus stream;
  json.at("number").get_to(stream.number);
  json.at("program").get_to(stream.program);
  json.at("pid").get_to(stream.pid);
  json.at("device").get_to(stream.device);
  json.at("state").get_to(stream.state);
  json.at("path").get_to(stream.path);
  json.at("format").get_to(stream.format);
  json.at("width").get_to(stream.width);
  json.at("height").get_to(stream.height);
  json.at("rate").get_to(stream.rate);
  json.at("buffers").get_to(stream.buffers);
  json.at("queued").get_to(stream.queued);
  json.at("pictures").get_to(stream.counts.pictures);
  json.at("dropped").get_to(stream.counts.dropped);
  json.at("latency_mean_ms").get_to(stream.counts.latency_mean);
  json.at("latency_most_ms").get_to(stream.counts.latency_most);
  return stream;
}

}  // namespace

std::string json_of(const CameraStatus& status) {
  Json json{{"server", kServer}, {"devices", Json::array()}, {"streams", Json::array()}};
  for (const DeviceStatus& each : status.devices) {
    json["devices"].push_back(to_json(each));
  }
  for (const StreamStatus& each : status.streams) {
    json["streams"].push_back(to_json(each));
  }
  return json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

Result<CameraStatus> status_of(std::string_view json) {
  try {
    const Json parsed = Json::parse(json);
    if (parsed.at("server") != kServer) {
      return fail(EPROTO, "not the status of a camera server");
    }
    CameraStatus status;
    for (const Json& each : parsed.at("devices")) {
      status.devices.push_back(device_from(each));
    }
    for (const Json& each : parsed.at("streams")) {
      status.streams.push_back(stream_from(each));
    }
    return status;
  } catch (const Json::exception&) {
    return fail(EPROTO, "not the status of a camera server, or of a version that this one doesn't understand");
  }
}

}  // namespace dmmap::camera
