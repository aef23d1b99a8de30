//! Tables, pictures and the report that gathers them.
