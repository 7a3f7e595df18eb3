# SPDX-License-Identifier: Apache-2.0
"""The HRSS application (人力资源和社会保障应用), file by file.

Layouts, access conditions and codes as observed on cards of LD/T 32-2015. This is the one place
that knows them: the personaliser creates from these tables, the chip and its clients work by
them, the README prints them. `ssse` and `df01` to `df07` have the files, `first` what was
otherwise in generation 1.0, `generations` puts whole cards together.
"""
