# What every target of the project is compiled with: warnings are errors, and so is a lock that clang can't see held.
add_library(dmmap_warnings INTERFACE)
target_compile_options(
  dmmap_warnings
  INTERFACE -Wall
            -Wextra
            -Wpedantic
            -Wshadow
            -Wconversion
            -Wsign-conversion
            -Wold-style-cast
            -Wnon-virtual-dtor
            -Woverloaded-virtual
            -Werror
            # Designated initializers leave out what is at its default.
            -Wno-missing-field-initializers
            # g++ 12 sees overlapping copies in std::string's own code (GCC bug 105329).
            $<$<CXX_COMPILER_ID:GNU>:-Wno-restrict>
            $<$<CXX_COMPILER_ID:Clang>:-Wthread-safety>)
if(DMMAP_SANITIZE)
  add_compile_options(-fsanitize=${DMMAP_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${DMMAP_SANITIZE})
  # The sanitizers' instrumentation makes g++ 12 see uninitialised reads that aren't there.
  target_compile_options(dmmap_warnings INTERFACE $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized>
                         $<$<CXX_COMPILER_ID:GNU>:-Wno-tsan>)
endif()
