// Generated from kgbuild/graph/cypher.py; $dim is the length of an embedding.
CREATE CONSTRAINT concept_id IF NOT EXISTS FOR (n:Concept) REQUIRE n.id IS UNIQUE;
CREATE CONSTRAINT image_id IF NOT EXISTS FOR (n:Image) REQUIRE n.id IS UNIQUE;
CREATE CONSTRAINT product_id IF NOT EXISTS FOR (n:Product) REQUIRE n.id IS UNIQUE;
CREATE CONSTRAINT kgbuild_release_id IF NOT EXISTS FOR (n:KgbuildRelease) REQUIRE n.id IS UNIQUE;
CREATE INDEX product_by_brand IF NOT EXISTS FOR (n:Product) ON (n.brand);
CREATE INDEX concept_by_label IF NOT EXISTS FOR (n:Concept) ON (n.label);
CREATE VECTOR INDEX concept_embedding IF NOT EXISTS FOR (n:Concept) ON n.embedding OPTIONS {indexConfig: {`vector.dimensions`: $dim, `vector.similarity_function`: 'cosine'}};
CREATE VECTOR INDEX image_embedding IF NOT EXISTS FOR (n:Image) ON n.embedding OPTIONS {indexConfig: {`vector.dimensions`: $dim, `vector.similarity_function`: 'cosine'}};
CREATE FULLTEXT INDEX concept_label IF NOT EXISTS FOR (n:Concept) ON EACH [n.label];

// The embedded ArcadeDB takes the constraints and plain indexes above as they are, and in its SQL:
// CREATE VERTEX TYPE Concept IF NOT EXISTS;
// CREATE VERTEX TYPE Image IF NOT EXISTS;
// CREATE VERTEX TYPE Product IF NOT EXISTS;
// CREATE VERTEX TYPE KgbuildRelease IF NOT EXISTS;
// CREATE EDGE TYPE HAS_IMAGE IF NOT EXISTS;
// CREATE EDGE TYPE HAS_PROTOTYPE IF NOT EXISTS;
// CREATE EDGE TYPE IS_A IF NOT EXISTS;
// CREATE EDGE TYPE MENTIONS IF NOT EXISTS;
// CREATE PROPERTY Concept.embedding IF NOT EXISTS ARRAY_OF_FLOATS;
// CREATE PROPERTY Image.embedding IF NOT EXISTS ARRAY_OF_FLOATS;
// CREATE PROPERTY Concept.label IF NOT EXISTS STRING;
// CREATE INDEX concept_embedding IF NOT EXISTS ON Concept (embedding) LSM_VECTOR METADATA {"dimensions": $dim, "similarity": "COSINE", "maxConnections": 16, "beamWidth": 100};
// CREATE INDEX image_embedding IF NOT EXISTS ON Image (embedding) LSM_VECTOR METADATA {"dimensions": $dim, "similarity": "COSINE", "maxConnections": 16, "beamWidth": 100};
// CREATE INDEX concept_label IF NOT EXISTS ON Concept (label) FULL_TEXT;
