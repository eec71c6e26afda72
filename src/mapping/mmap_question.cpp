#include "mapping/mmap_question.h"

#include <dmmap/paged_region.h>

#include <fmt/format.h>
#include <sys/mman.h>

#include <cerrno>
#include <memory>
#include <string>

#include "mapping/grants.h"
#include "protocol/map_protocol.h"

namespace dmmap::mapping {

namespace {

namespace map = protocol::map;

Result<std::vector<Piece>> pieces_of(MappedFilesystem::Grants& grants, const Grant& grant, std::uint64_t length) {
  std::vector<Piece> pieces = grant.pieces;
  if (pieces.empty()) {
    pieces.push_back({grant.region, grant.offset, length});
  } else if (grant.region) {
    return fail(EIO, "a grant has a region, or pieces, not both");
  }
  if (pieces.size() > map::kMostPieces) {
    return fail(EIO, fmt::format("a grant of {} pieces; {} are the most", pieces.size(), map::kMostPieces));
  }
  std::uint64_t left = length;
  for (const Piece& piece : pieces) {
    if (!piece.region) {
      return fail(EIO, "a grant without a region");
    }
    if (piece.offset % page_size() != 0 || piece.length % page_size() != 0 || piece.length == 0 ||
        piece.length > left) {
      return fail(EIO, fmt::format("a piece of {} bytes at offset {}, where {} bytes are left to map: pieces are whole "
                                   "pages, and add up to the request's length",
                                   piece.length, piece.offset, left));
    }
    left -= piece.length;
    // A paged region is a file like others, which may grow: beyond its end is SIGBUS.
    const bool fixed = std::dynamic_pointer_cast<SharedRegion>(piece.region) != nullptr;
    if (fixed && (piece.offset > piece.region->size() || piece.length > piece.region->size() - piece.offset)) {
      return fail(ENXIO, fmt::format("{} bytes at offset {} were granted of region {}, which has {}", piece.length,
                                     piece.offset, piece.region->id().value, piece.region->size()));
    }
    if (auto good = grants.can_be_mapped(piece.region); !good) {
      return tl::unexpected(good.error());
    }
  }
  if (left != 0) {
    return fail(EIO, fmt::format("pieces that leave {} of {} bytes without a page", left, length));
  }
  return pieces;
}

}  // namespace

MapRequest question_of(const MappedFilesystem::Grants& grants, const Request& request, HandleId handle,
                       const Arguments& arguments) {
  const bool shared = (arguments.flags & MAP_TYPE) != MAP_PRIVATE;
  MapRequest question;
  question.caller = request.caller;
  question.node = request.node;
  question.handle = handle;
  question.moment = MapMoment::mmap;
  question.offset = arguments.offset;
  question.length = (arguments.length + page_size() - 1) / page_size() * page_size();
  question.read = (arguments.prot & (PROT_READ | PROT_EXEC)) != 0;
  question.write = shared && (arguments.prot & PROT_WRITE) != 0;
  question.shared = shared;
  question.prot = arguments.prot;
  question.flags = arguments.flags;
  question.process = process_of(request.caller.pid);
  question.node_region = grants.of_node(request.node);
  return question;
}

void give_up(MappedFilesystem& filesystem, Connection& connection, const MapRequest& question, const Grant& grant,
             const Error& why) {
  if (why.code != ENODEV) {  // what the mount can't have is said once
    connection.log(LogLevel::error, fmt::format("mmap by process {}: what the server granted can't be: {}",
                                                question.process, why.message));
  }
  filesystem.unmapped(question, grant);
}

Result<Granted> ask(MappedFilesystem& filesystem, MappedFilesystem::Grants& grants, Connection& connection,
                    const MapRequest& question) {
  auto grant = filesystem.map(question);
  if (!grant) {
    return tl::unexpected(grant.error());
  }
  auto pieces = pieces_of(grants, *grant, *question.length);
  if (!pieces) {
    give_up(filesystem, connection, question, *grant, pieces.error());
    return tl::unexpected(pieces.error());
  }
  return Granted{std::move(*grant), std::move(*pieces)};
}

}  // namespace dmmap::mapping
