// What a server says to an mmap(2), whoever has asked: a program itself, or the kernel.
#pragma once

#include <dmmap/mapping.h>

#include <cstdint>
#include <vector>

#include "protocol/map_protocol.h"

namespace dmmap::mapping {

/// A grant, and the pieces that it's made of: one at least, which add up to the request's length.
struct Granted {
  Grant grant;
  std::vector<Piece> pieces;
};

/// Asks the file system. What can't be carried out is logged, and unmapped() at once. Errors: the file system's, and
/// what MappedFilesystem promises of grants that can't be. Thread safety: any thread.
Result<Granted> ask(MappedFilesystem& filesystem, MappedFilesystem::Grants& grants, Connection& connection,
                    const MapRequest& question);

}  // namespace dmmap::mapping
