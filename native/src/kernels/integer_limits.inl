// The range of an integer type, without <limits> (see kernels.hpp).

template <class T>
static constexpr bool is_signed_type = T(-1) < T(0);
template <class T>
static constexpr T highest = is_signed_type<T> ? static_cast<T>((std::uint64_t(1) << (8 * sizeof(T) - 1)) - 1) : static_cast<T>(-1);
template <class T>
static constexpr T lowest = is_signed_type<T> ? static_cast<T>(-highest<T> - 1) : T(0);
