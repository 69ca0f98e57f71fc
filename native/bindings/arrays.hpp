// From Python arrays to pointers and back: every check on dtype, layout, shape and writability is made here, by name and with numbers.
#pragma once
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include <cstdint>
#include <span>
#include <string>

#include "headrace/sample_type.hpp"

namespace headrace::bindings {

namespace nb = nanobind;
using Readable = nb::ndarray<nb::ro>;
using Writable = nb::ndarray<>;

// TypeError if the dtype is none of ours, ValueError if the array is not on the CPU or not C-contiguous.
SampleType sample_type(const Readable& array, const char* what);
SampleType sample_type(const Writable& array, const char* what);

// The array behind a Python object. TypeError if it is no array; ValueError if it is to be written and is read-only.
Readable readable(nb::handle object, const char* what);
Writable writable(nb::handle object, const char* what);

// Elements, and for arrays of two dimensions channels. ValueError for other dimensions.
struct Extent {
    std::int64_t count;
    std::int64_t channels;
};
template <class Array>
Extent extent(const Array& array, const char* what) {
    if (array.ndim() != 1 && array.ndim() != 2) {
        const std::string message = std::string(what) + " must have 1 or 2 dimensions, not " + std::to_string(array.ndim());
        throw nb::value_error(message.c_str());
    }
    return {static_cast<std::int64_t>(array.shape(0)), array.ndim() == 2 ? static_cast<std::int64_t>(array.shape(1)) : 1};
}

// A one-dimensional float64 array. ValueError, TypeError.
std::span<const double> doubles(const Readable& array, const char* what);

// ValueError unless both have the same shape.
void same_shape(const Readable& a, const char* what_a, const Writable& b, const char* what_b);

}  // namespace headrace::bindings
