#include "servers/camera/device/cards.h"

#include <fmt/format.h>

#include <utility>

namespace dmmap::camera {

namespace {

// What a device is like that nobody has put pictures in yet.
constexpr Size kUsualSize{1280, 720};

}  // namespace

struct Cards::Owned {
  Owned(const CardWish& wish, const std::string& file, std::unique_ptr<Source> source, ProducerSource* producer,
        const LogSink& log)
      : camera(file, std::move(source), log),
        card{.name = wish.name, .file = file, .camera = camera, .producer = producer} {}
  Camera camera;
  Card card;
};

Cards::~Cards() = default;

Result<std::unique_ptr<Cards>> Cards::make(const std::vector<CardWish>& wishes, const LogSink& log) {
  std::unique_ptr<Cards> cards(new Cards());
  for (const CardWish& wish : wishes) {
    const std::string file = fmt::format("video{}", cards->owned_.size());
    std::unique_ptr<Source> source;
    ProducerSource* producer = nullptr;
    if (wish.source.kind == SourceChoice::Kind::device) {
      auto producers = std::make_unique<ProducerSource>(
          About{wish.size.value_or(kUsualSize), wish.rate.value_or(Rate{}), nullptr, true});
      producer = producers.get();
      source = std::move(producers);
    } else {
      auto opened = open_source(wish.source, {.size = wish.size, .rate = wish.rate, .name = file}, log);
      if (!opened) {
        return tl::unexpected(opened.error());
      }
      source = std::move(*opened);
    }
    cards->owned_.push_back(std::make_unique<Owned>(wish, file, std::move(source), producer, log));
  }
  return cards;
}

void Cards::start() {
  for (const auto& each : owned_) {
    each->camera.start();
  }
}

void Cards::stop() {
  for (const auto& each : owned_) {
    each->camera.stop();
  }
}

std::vector<Card*> Cards::all() const {
  std::vector<Card*> cards;
  for (const auto& each : owned_) {
    cards.push_back(&each->card);
  }
  return cards;
}

}  // namespace dmmap::camera
