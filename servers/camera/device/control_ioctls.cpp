#include "servers/camera/device/control_ioctls.h"

#include <linux/videodev2.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <vector>

#include "servers/device/client.h"

namespace dmmap::camera {

using device::error;
using device::IoctlAnswer;
using device::stored;
using device::with;

namespace {

constexpr std::uint32_t kMostAtOnce = 1024;  // V4L2_CID_MAX_CTRLS

bool is_class(const ControlInfo& info) {
  return info.type == V4L2_CTRL_TYPE_CTRL_CLASS;
}

// The control that's asked for: by number, or the next one after it.
const ControlInfo* asked_control(std::uint32_t id) {
  if ((id & V4L2_CTRL_FLAG_NEXT_CTRL) == 0) {
    return find_control(id);
  }
  const auto all = control_infos();
  const std::uint32_t after = id & V4L2_CTRL_ID_MASK;
  const auto next = std::find_if(all.begin(), all.end(), [after](const auto& each) { return each.id > after; });
  return next == all.end() ? nullptr : &*next;
}

// What both ways to ask tell.
template <class T>
T described(const ControlInfo& info) {
  T result{};
  result.id = info.id;
  result.type = info.type;
  std::memcpy(&result.name[0], info.name, std::min(std::strlen(info.name), sizeof result.name - 1));
  result.minimum = info.least;
  result.maximum = info.most;
  result.step = is_class(info) ? 0 : 1;
  result.default_value = info.usual;
  result.flags = control_flags(info);
  return result;
}

IoctlAnswer query(const v4l2_queryctrl& asked) {
  const ControlInfo* const info = asked_control(asked.id);
  return info == nullptr ? error(EINVAL) : stored(described<v4l2_queryctrl>(*info));
}

IoctlAnswer query_extended(const v4l2_query_ext_ctrl& asked) {
  // There's none of the kinds that only this way has (V4L2_CTRL_FLAG_NEXT_COMPOUND).
  const bool compound_alone =
      (asked.id & V4L2_CTRL_FLAG_NEXT_COMPOUND) != 0 && (asked.id & V4L2_CTRL_FLAG_NEXT_CTRL) == 0;
  const ControlInfo* const info =
      compound_alone ? nullptr : asked_control(asked.id & ~std::uint32_t{V4L2_CTRL_FLAG_NEXT_COMPOUND});
  if (info == nullptr) {
    return error(EINVAL);
  }
  auto result = described<v4l2_query_ext_ctrl>(*info);
  result.elem_size = sizeof(std::int32_t);
  result.elems = 1;
  return stored(result);
}

// As v4l2-ctrls-api.c's: what a control can't do, whoever asks.
int why_not(std::uint32_t id) {
  const ControlInfo* const info = find_control(id);
  if (info == nullptr) {
    return EINVAL;
  }
  return is_class(*info) ? EACCES : 0;
}

void set(const ControlCall& call, std::uint32_t id, std::int32_t& value) {
  const auto before = call.controls.get(id);
  const auto after = call.controls.set(id, value);
  value = after.value_or(value);
  if (before != after && call.changed) {
    call.changed(id);
  }
}

IoctlAnswer get_one(const ControlCall& call, v4l2_control asked) {
  if (const int code = why_not(asked.id); code != 0) {
    return error(code);
  }
  asked.value = call.controls.get(asked.id).value_or(0);
  return stored(asked);
}

IoctlAnswer set_one(const ControlCall& call, v4l2_control asked) {
  if (const int code = why_not(asked.id); code != 0) {
    return error(code);
  }
  set(call, asked.id, asked.value);
  return stored(asked);
}

// The answer to an ioctl about several controls that fails; the number says at which.
IoctlAnswer failed(v4l2_ext_controls asked, std::uint32_t at, int code) {
  asked.error_idx = at;
  IoctlAnswer answer = stored(asked);
  answer.error = code;
  return answer;
}

// Whether there's such a class, or none is meant.
bool known_class(std::uint32_t which) {
  return which == V4L2_CTRL_WHICH_CUR_VAL || which == V4L2_CTRL_WHICH_DEF_VAL || find_control(which | 1U) != nullptr;
}

// An errno value for the first that can't be. `at` becomes its index.
int check_all(const std::vector<v4l2_ext_control>& controls, std::uint32_t which, std::uint32_t& at) {
  const bool any_class = which == V4L2_CTRL_WHICH_CUR_VAL || which == V4L2_CTRL_WHICH_DEF_VAL;
  for (at = 0; at < controls.size(); ++at) {
    const std::uint32_t id = controls[at].id;
    if (!any_class && V4L2_CTRL_ID2WHICH(id) != which) {
      return EINVAL;
    }
    if (const int code = why_not(id); code != 0) {
      return code;
    }
  }
  return 0;
}

IoctlAnswer several(const ControlCall& call, std::uint32_t command, v4l2_ext_controls asked) {
  const bool gets = command == VIDIOC_G_EXT_CTRLS;
  const bool of_default = asked.which == V4L2_CTRL_WHICH_DEF_VAL;
  if (asked.which == V4L2_CTRL_WHICH_REQUEST_VAL || asked.count > kMostAtOnce || (of_default && !gets) ||
      !known_class(asked.which)) {
    return failed(asked, asked.count, EINVAL);
  }
  std::vector<v4l2_ext_control> controls(asked.count);
  const auto address = reinterpret_cast<std::uint64_t>(asked.controls);  // NOLINT(*-reinterpret-cast): the client's
  if (asked.count > 0) {
    if (const auto read = device::read_client(call.client, address, std::as_writable_bytes(std::span(controls)));
        !read) {
      return error(read.error().code == EFAULT ? EFAULT : ENOTTY);
    }
  }
  std::uint32_t at = 0;
  if (const int code = check_all(controls, asked.which, at); code != 0) {
    // Only who tries is told which: nothing of the others has been done.
    return failed(asked, command == VIDIOC_TRY_EXT_CTRLS ? at : asked.count, code);
  }
  for (v4l2_ext_control& each : controls) {
    const ControlInfo& info = *find_control(each.id);
    each.reserved2[0] = 0;
    if (gets) {
      each.value = of_default ? info.usual : call.controls.get(each.id).value_or(0);
    } else if (command == VIDIOC_TRY_EXT_CTRLS) {
      each.value = std::clamp(each.value, info.least, info.most);
    } else {
      std::int32_t value = each.value;
      set(call, each.id, value);
      each.value = value;
    }
  }
  if (asked.count > 0) {
    if (const auto written = device::write_client(call.client, address, std::as_bytes(std::span(controls))); !written) {
      return error(EFAULT);
    }
  }
  asked.error_idx = asked.count;
  asked.reserved[0] = 0;
  return stored(asked);
}

}  // namespace

std::uint32_t control_flags(const ControlInfo& info) {
  if (is_class(info)) {
    return V4L2_CTRL_FLAG_READ_ONLY | V4L2_CTRL_FLAG_WRITE_ONLY;
  }
  return info.slider ? V4L2_CTRL_FLAG_SLIDER : 0U;
}

std::optional<IoctlAnswer> answer_control_ioctl(const ControlCall& call, std::uint32_t command,
                                                std::span<const std::byte> input) {
  switch (command) {
    case VIDIOC_QUERYCTRL:
      return with<v4l2_queryctrl>(input, query);
    case VIDIOC_QUERY_EXT_CTRL:
      return with<v4l2_query_ext_ctrl>(input, query_extended);
    case VIDIOC_QUERYMENU:
      return error(EINVAL);  // no control is a menu
    case VIDIOC_G_CTRL:
      return with<v4l2_control>(input, [&](const auto& asked) { return get_one(call, asked); });
    case VIDIOC_S_CTRL:
      return with<v4l2_control>(input, [&](const auto& asked) { return set_one(call, asked); });
    case VIDIOC_G_EXT_CTRLS:
    case VIDIOC_S_EXT_CTRLS:
    case VIDIOC_TRY_EXT_CTRLS:
      return with<v4l2_ext_controls>(input, [&](const auto& asked) { return several(call, command, asked); });
    default:
      return std::nullopt;
  }
}

}  // namespace dmmap::camera
