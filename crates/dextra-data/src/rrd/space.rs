//! What is seen in space.

use super::shade::shade;
use super::table::{self, Column, Component, Index};
use super::{Arrow, Paint, Recording, When};
use crate::DataError;
use arrow_array::ArrayRef;
use arrow_schema::ArrowError;
use dextra_core::{Pose, TriMesh};
use nalgebra::{Point3, Vector3};

components! {
    MESH_POSITIONS = "Mesh3D" "vertex_positions" "Position3D";
    MESH_NORMALS = "Mesh3D" "vertex_normals" "Vector3D";
    MESH_COLORS = "Mesh3D" "vertex_colors" "Color";
    MESH_ALBEDO = "Mesh3D" "albedo_factor" "AlbedoFactor";
    MESH_FACES = "Mesh3D" "triangle_indices" "TriangleIndices";
    TRANSLATION = "Transform3D" "translation" "Translation3D";
    QUATERNION = "Transform3D" "quaternion" "RotationQuat";
    POINTS = "Points3D" "positions" "Position3D";
    POINT_COLORS = "Points3D" "colors" "Color";
    POINT_RADII = "Points3D" "radii" "Radius";
    STRIPS = "LineStrips3D" "strips" "LineStrip3D";
    STRIP_COLORS = "LineStrips3D" "colors" "Color";
    STRIP_RADII = "LineStrips3D" "radii" "Radius";
    ARROW_VECTORS = "Arrows3D" "vectors" "Vector3D";
    ARROW_ORIGINS = "Arrows3D" "origins" "Position3D";
    ARROW_COLORS = "Arrows3D" "colors" "Color";
    ARROW_RADII = "Arrows3D" "radii" "Radius";
}

impl Recording {
    /// Adds a mesh that keeps its shape; give the entity [poses](Recording::poses) to move it.
    ///
    /// The mesh is in the entity's frame, metres. [`Paint::Parts`] has a colour per vertex. Normals
    /// are made, and vertices split along creases for them; the order of faces stays.
    pub fn mesh(
        &mut self,
        entity: &str,
        mesh: &TriMesh,
        paint: Paint<'_>,
    ) -> Result<(), DataError> {
        let entity = self.free(entity, "Mesh3D")?;
        if mesh.faces.is_empty() {
            return Err(self.error(&entity, "the mesh has no faces"));
        }
        let vertices = mesh.vertices.len();
        if let Some(face) =
            mesh.faces.iter().position(|face| face.iter().any(|&i| i as usize >= vertices))
        {
            let problem = format!("face {face} names a vertex beyond the mesh's {vertices}");
            return Err(self.error(&entity, problem));
        }
        for (vertex, position) in mesh.vertices.iter().enumerate() {
            if !finite(position.iter().copied()) {
                return Err(self.error(&entity, format!("vertex {vertex} is not finite")));
            }
        }
        match paint {
            Paint::Rows(_) => return Err(self.error(&entity, "a mesh has no colours per row")),
            Paint::Parts(colors) if colors.len() != vertices => {
                let problem = format!("{} colours for {vertices} vertices", colors.len());
                return Err(self.error(&entity, problem));
            }
            _ => {}
        }
        let shaded = shade(mesh);
        let columns = || {
            let original = || shaded.vertices.iter().map(|&i| i as usize);
            let colors = match paint {
                Paint::Parts(colors) => {
                    Column::one(MESH_COLORS, table::u32s(original().map(|i| colors[i].bits())))?
                }
                Paint::Whole(color) => Column::one(MESH_ALBEDO, table::u32s([color.bits()]))?,
                Paint::Rows(_) => Column::one(MESH_ALBEDO, table::u32s([]))?,
            };
            let faces = table::u32s(shaded.faces.iter().flatten().copied());
            let positions = vectors(original().map(|i| mesh.vertices[i].coords))?;
            Ok(vec![
                colors,
                Column::one(MESH_FACES, table::groups(faces, 3)?)?,
                Column::one(MESH_NORMALS, vectors(shaded.normals.iter().copied())?)?,
                Column::one(MESH_POSITIONS, positions)?,
            ])
        };
        let columns = columns().map_err(|e| self.arrow(&entity, e))?;
        self.add(entity, "Mesh3D", vec![(Index::Static, columns)]);
        Ok(())
    }

    /// Adds where the entity is: `parent_from_entity`, a pose per row, in the frame of the entity
    /// above it.
    pub fn poses(
        &mut self,
        entity: &str,
        when: When<'_>,
        parent_from_entity: &[Pose],
    ) -> Result<(), DataError> {
        let entity = self.free(entity, "Transform3D")?;
        let index = self.index(&entity, when, parent_from_entity.len())?;
        for (row, pose) in parent_from_entity.iter().enumerate() {
            let numbers = pose.translation.vector.iter().chain(pose.rotation.coords.iter());
            if !finite(numbers.copied()) {
                return Err(self.row_error(&entity, row, "the pose is not finite"));
            }
        }
        let columns = || {
            let ones = || parent_from_entity.iter().map(|_| 1);
            // Stored as x, y, z, w, both here and in Rerun.
            let quaternions = parent_from_entity.iter().flat_map(|p| p.rotation.coords.data.0[0]);
            let quaternions = table::groups(table::f32s(quaternions.map(|x| x as f32)), 4)?;
            let translations = vectors(parent_from_entity.iter().map(|p| p.translation.vector))?;
            Ok(vec![
                Column::new(QUATERNION, ones(), quaternions)?,
                Column::new(TRANSLATION, ones(), translations)?,
            ])
        };
        let columns = columns().map_err(|e| self.arrow(&entity, e))?;
        self.add(entity, "Transform3D", vec![(index, columns)]);
        Ok(())
    }

    /// Adds points in the entity's frame, metres, drawn as balls of `radius`, metres. Rows may have
    /// different numbers of points, also none.
    pub fn points<R: AsRef<[Point3<f64>]>>(
        &mut self,
        entity: &str,
        when: When<'_>,
        rows: &[R],
        paint: Paint<'_>,
        radius: f64,
    ) -> Result<(), DataError> {
        let entity = self.free(entity, "Points3D")?;
        let index = self.index(&entity, when, rows.len())?;
        for (row, points) in rows.iter().enumerate() {
            if !points.as_ref().iter().all(|point| finite(point.iter().copied())) {
                return Err(self.row_error(&entity, row, "a point is not finite"));
            }
        }
        let look = Look { colors: POINT_COLORS, radii: POINT_RADII, paint, radius };
        let counts: Vec<usize> = rows.iter().map(|row| row.as_ref().len()).collect();
        self.check_look(&entity, &look, &counts)?;
        let columns = || {
            let points = rows.iter().flat_map(|row| row.as_ref()).map(|point| point.coords);
            Ok(vec![Column::new(POINTS, counts.iter().copied(), vectors(points)?)?])
        };
        let tables = columns()
            .and_then(|columns| look.tables(index, columns))
            .map_err(|e| self.arrow(&entity, e))?;
        self.add(entity, "Points3D", tables);
        Ok(())
    }

    /// Adds lines through points in the entity's frame, metres, as thick as twice `radius`, metres.
    /// A row is a list of strips, each the points of one line. Rows may have different numbers of
    /// strips, also none.
    pub fn line_strips<R: AsRef<[Vec<Point3<f64>>]>>(
        &mut self,
        entity: &str,
        when: When<'_>,
        rows: &[R],
        paint: Paint<'_>,
        radius: f64,
    ) -> Result<(), DataError> {
        let entity = self.free(entity, "LineStrips3D")?;
        let index = self.index(&entity, when, rows.len())?;
        for (row, strips) in rows.iter().enumerate() {
            let mut points = strips.as_ref().iter().flatten();
            if !points.all(|point| finite(point.iter().copied())) {
                return Err(self.row_error(&entity, row, "a point of a strip is not finite"));
            }
        }
        let look = Look { colors: STRIP_COLORS, radii: STRIP_RADII, paint, radius };
        let counts: Vec<usize> = rows.iter().map(|row| row.as_ref().len()).collect();
        self.check_look(&entity, &look, &counts)?;
        let columns = || {
            let strips = || rows.iter().flat_map(|row| row.as_ref());
            let points = vectors(strips().flatten().map(|point| point.coords))?;
            let strips = table::runs(strips().map(Vec::len), points)?;
            Ok(vec![Column::new(STRIPS, counts.iter().copied(), strips)?])
        };
        let tables = columns()
            .and_then(|columns| look.tables(index, columns))
            .map_err(|e| self.arrow(&entity, e))?;
        self.add(entity, "LineStrips3D", tables);
        Ok(())
    }

    /// Adds arrows in the entity's frame, with shafts of `radius`, metres. Rows may have different
    /// numbers of arrows, also none.
    pub fn arrows<R: AsRef<[Arrow]>>(
        &mut self,
        entity: &str,
        when: When<'_>,
        rows: &[R],
        paint: Paint<'_>,
        radius: f64,
    ) -> Result<(), DataError> {
        let entity = self.free(entity, "Arrows3D")?;
        let index = self.index(&entity, when, rows.len())?;
        for (row, arrows) in rows.iter().enumerate() {
            let mut arrows = arrows.as_ref().iter();
            if !arrows.all(|a| finite(a.origin.iter().chain(a.vector.iter()).copied())) {
                return Err(self.row_error(&entity, row, "an arrow is not finite"));
            }
        }
        let look = Look { colors: ARROW_COLORS, radii: ARROW_RADII, paint, radius };
        let counts: Vec<usize> = rows.iter().map(|row| row.as_ref().len()).collect();
        self.check_look(&entity, &look, &counts)?;
        let columns = || {
            let arrows = || rows.iter().flat_map(|row| row.as_ref());
            let origins = vectors(arrows().map(|arrow| arrow.origin.coords))?;
            let vectors = vectors(arrows().map(|arrow| arrow.vector))?;
            let counts = || counts.iter().copied();
            Ok(vec![
                Column::new(ARROW_ORIGINS, counts(), origins)?,
                Column::new(ARROW_VECTORS, counts(), vectors)?,
            ])
        };
        let tables = columns()
            .and_then(|columns| look.tables(index, columns))
            .map_err(|e| self.arrow(&entity, e))?;
        self.add(entity, "Arrows3D", tables);
        Ok(())
    }

    fn check_look(&self, entity: &str, look: &Look, counts: &[usize]) -> Result<(), DataError> {
        let radius = look.radius as f32;
        if !(radius.is_finite() && radius > 0.0) {
            let problem = format!("the radius {} m is not above zero", look.radius);
            return Err(self.error(entity, problem));
        }
        if let Paint::Rows(rows) = look.paint
            && rows.len() != counts.len()
        {
            let problem = format!("{} rows of colours for {} rows", rows.len(), counts.len());
            return Err(self.error(entity, problem));
        }
        for (row, &count) in counts.iter().enumerate() {
            let colors = match look.paint {
                Paint::Whole(_) => continue,
                Paint::Parts(colors) => colors.len(),
                Paint::Rows(rows) => rows[row].len(),
            };
            if colors != count {
                let problem = format!("{colors} colours for {count} parts");
                return Err(self.row_error(entity, row, problem));
            }
        }
        Ok(())
    }
}

/// Colours and thickness of points, strips or arrows.
struct Look<'a> {
    colors: Component,
    radii: Component,
    paint: Paint<'a>,
    radius: f64,
}

impl Look<'_> {
    /// Adds the look to `columns`: what changes to them, the rest as a table that always holds.
    fn tables(
        &self,
        index: Index,
        mut columns: Vec<Column>,
    ) -> Result<Vec<(Index, Vec<Column>)>, ArrowError> {
        let mut always = vec![Column::one(self.radii, table::f32s([self.radius as f32]))?];
        match self.paint {
            Paint::Whole(color) => {
                always.push(Column::one(self.colors, table::u32s([color.bits()]))?);
            }
            Paint::Parts(colors) => {
                let bits = table::u32s(colors.iter().map(|color| color.bits()));
                always.push(Column::one(self.colors, bits)?);
            }
            Paint::Rows(rows) => {
                let bits = table::u32s(rows.iter().flatten().map(|color| color.bits()));
                columns.push(Column::new(self.colors, rows.iter().map(Vec::len), bits)?);
            }
        }
        Ok(vec![(Index::Static, always), (index, columns)])
    }
}

/// Whether all numbers are finite with 32 bits.
fn finite(numbers: impl IntoIterator<Item = f64>) -> bool {
    numbers.into_iter().all(|number| (number as f32).is_finite())
}

fn vectors(vectors: impl IntoIterator<Item = Vector3<f64>>) -> Result<ArrayRef, ArrowError> {
    table::groups(table::f32s(vectors.into_iter().flat_map(|v| v.data.0[0]).map(|x| x as f32)), 3)
}
